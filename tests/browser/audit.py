"""What can be measured of a page's accessibility: names, references, contrast, the size of what fingers press."""

from __future__ import annotations

from playwright.async_api import Page

__all__ = ["problems"]

# Colours are painted and read back: computed ones come in many notations, and some are see-through.
AUDIT = """([touch, host]) => {
    const root = host ? document.querySelector(host).shadowRoot : document;
    // What fades in has no contrast yet. What has not begun, such as the end of a mark, is not brought forward.
    for (const one of [document, root].flatMap((tree) => tree.getAnimations())) {
        const { iterations, progress } = one.effect.getComputedTiming();
        if (progress !== null) iterations === Infinity ? one.cancel() : one.finish();
    }
    const found = [];
    const say = (what, node) => found.push(`${what}: ${node.outerHTML.slice(0, 120)}`);
    const dialog = root.querySelector("dialog[open]");
    const all = [...(dialog ?? root).querySelectorAll("*")].filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
    const hiddenText = (node) => node.closest(".sr-only, [aria-hidden=true], [inert]");

    const named = (one) => one.ariaLabel || one.labels?.[0]?.textContent || one.textContent.trim();
    for (const one of all.filter((each) => each.matches("button, a, input, textarea, [role=log], nav, aside, dialog")))
        if (!named(one)) say("no name", one);
    for (const one of all)
        for (const reference of ["aria-controls", "aria-describedby", "aria-labelledby", "aria-activedescendant"])
            if (one.getAttribute(reference) && !root.getElementById(one.getAttribute(reference))) say(`dangling ${reference}`, one);
    const ids = [...root.querySelectorAll("[id]")].map(({ id }) => id);
    if (new Set(ids).size !== ids.length) found.push(`repeated ids: ${ids}`);
    for (const landmark of dialog || host ? [] : ["main", "h1"])
        if (all.filter((one) => one.matches(landmark)).length !== 1) found.push(`not one ${landmark} on show`);

    const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const painted = (colors) => {
        context.clearRect(0, 0, 1, 1);
        for (const [color, alpha] of colors) {
            context.globalAlpha = alpha;
            context.fillStyle = color;
            context.fillRect(0, 0, 1, 1);
        }
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (color) => {
        const [r, g, b] = color.map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, color) => {
        const layers = [];
        let alpha = 1;
        for (let node = one; node; node = node.parentElement) {
            const style = getComputedStyle(node);
            layers.unshift([style.backgroundColor, 1]);
            alpha *= style.opacity;
        }
        const [text, ground] = [painted([...layers, [color, alpha]]), painted(layers)].map(luminance).sort((a, b) => b - a);
        return (text + 0.05) / (ground + 0.05);
    };
    const check = (one, color, what) => {
        const { fontSize, fontWeight } = getComputedStyle(one);
        const large = parseFloat(fontSize) >= 24 || (parseFloat(fontSize) >= 18.66 && fontWeight >= 700);
        const ratio = contrast(one, color);
        if (ratio < (large ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)} of ${what}`, one);
    };
    for (const one of all) {
        const hasText = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (hasText && !one.closest(":disabled") && !one.closest(".sr-only")) check(one, getComputedStyle(one).color, "text");
        if (one.placeholder) check(one, getComputedStyle(one, "::placeholder").color, "placeholder");
    }

    for (const one of touch ? all.filter((each) => each.matches("button:enabled, a.line, input:not([type=radio], [type=checkbox]), .choice") && !hiddenText(each)) : []) {
        const { width, height } = one.getBoundingClientRect();
        if (Math.min(width, height) < 40 && !one.matches(".author")) say(`target ${width} x ${height}`, one);
    }
    const wide = document.scrollingElement;
    if (wide.scrollWidth > wide.clientWidth) found.push(`scrolls sideways: ${wide.scrollWidth} > ${wide.clientWidth}`);
    for (const one of all.filter((each) => each.matches("dialog, .menu, .toasts:not(:empty)"))) {
        const { left, right, top, bottom } = one.getBoundingClientRect();
        if (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight) say("off the screen", one);
    }
    return found;
}"""


async def problems(page: Page, *, touch: bool = False, host: str | None = None) -> list[str]:
    """What is wrong with what the page shows now, or this element in it, in words; empty where nothing is. It ends what moves."""
    found: list[str] = await page.evaluate(AUDIT, [touch, host])
    return found
