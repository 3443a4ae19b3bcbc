"""Parts of pages drawn in the browser (Streamlit components v2)."""
