"""What those who see no screen, or use no pointer, find their way by: where the navigation is, and the images."""

from __future__ import annotations

import streamlit as st

_mount = st.components.v2.component(
    "fas_landmarks",
    html="<span></span>\n",
    js="""
const CARDS = "button.card";

function firstCard() {
    for (const place of document.querySelectorAll("[data-testid=stBidiComponentIsolated]")) {
        const card = place.shadowRoot?.querySelector(CARDS);
        if (card) return card;
    }
    return null;
}

// The first stop of all, beside Streamlit's own link to the content: the controls of a gallery are many.
function skipLink() {
    const link = document.createElement("a");
    link.id = "skip_to_images";
    link.textContent = "Skip to the images";
    link.href = "#stMain";
    link.style.cssText = "position: fixed; left: -99em; top: 0; z-index: 9999999; padding: 0.5rem 1rem;"
        + "background: Canvas; color: CanvasText";
    link.onfocus = () => { link.style.left = "0"; };
    link.onblur = () => { link.style.left = "-99em"; };
    link.onclick = (event) => {
        event.preventDefault();
        firstCard()?.focus();
    };
    return link;
}

function nameCurrent(navigation) {
    for (const link of navigation.querySelectorAll("a")) {
        const kind = link.closest(".st-key-here_page") ? "page" : link.closest(".st-key-here_group") ? "true" : null;
        if (kind) link.setAttribute("aria-current", kind);
        else link.removeAttribute("aria-current");
    }
}

export default function () {
    if (!document.getElementById("skip_to_images")) {
        const link = skipLink();
        document.body.prepend(link);
        document.addEventListener("keydown", () => { link.hidden = !firstCard(); }, true);
    }
    const navigation = document.querySelector(".st-key-navigation");
    if (!navigation || navigation.role === "navigation") return;
    navigation.role = "navigation";
    navigation.ariaLabel = "Pages";
    new MutationObserver(() => nameCurrent(navigation))
        .observe(navigation, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
    nameCurrent(navigation);
}
""",
)


def landmarks() -> None:
    """Names the navigation and its current page, and leads the keyboard past all controls to the first image."""
    _mount(key="landmarks")
