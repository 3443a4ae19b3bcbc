"""A choice of a few that stands in the address."""

from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st

    from app.session.address import switch

    with st.sidebar:
        st.text("beside")
    chosen = switch("Decode", ["one", "two"], "decode", words=str.upper, help="How many.", place=st.sidebar)
    usual = switch("Frame", [10, 20, 30], "frame", default=20)
    st.markdown(f"{chosen} {usual!r}")


def test_a_switch_is_at_its_first_option_or_at_the_usual_one() -> None:
    at = AppTest.from_function(script).run()
    assert at.markdown[0].value == "one 20"
    [decode] = at.sidebar.button_group
    assert (decode.label, decode.options, decode.help) == ("Decode", ["ONE", "TWO"], "How many.")


def test_a_switch_follows_the_address_unless_it_names_no_option() -> None:
    """Which names options as they are shown."""
    for address, shown in (({"decode": "TWO", "frame": "30"}, "two 30"), ({"decode": "THREE", "frame": ""}, "one 20")):
        at = AppTest.from_function(script)
        at.query_params.update(address)
        assert at.run().markdown[0].value == shown
