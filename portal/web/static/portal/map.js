/* The live map changes by itself: while it is looked at, it is asked for every half minute, and drawn anew only when it
   changed (304 otherwise). Without scripts the page is as good as a press on reload. */
(() => {
  "use strict";
  const box = document.querySelector("[data-live]");
  if (!box) return;
  const EVERY = 30_000;
  let tag = "";
  let asking = false;

  /* What is focused keeps the focus, also when it is drawn anew. */
  function focused() {
    const at = document.activeElement;
    if (!box.contains(at)) return () => {};
    const label = at.getAttribute("aria-label") ?? "";
    const href = at.getAttribute("href") ?? "";
    const id = at.id;
    return () => {
      const again = id ? document.getElementById(id)
        : [...box.querySelectorAll("a, [tabindex]")].find((el) => el.getAttribute("href") === href && href)
          ?? [...box.querySelectorAll("a, [tabindex]")].find((el) => el.getAttribute("aria-label") === label && label);
      again?.focus({ preventScroll: true });
    };
  }

  async function ask() {
    if (asking || document.visibilityState !== "visible") return;
    asking = true;
    try {
      const answer = await fetch(box.dataset.live, { headers: tag ? { "If-None-Match": tag } : {}, redirect: "error" });
      if (answer.status === 200) {
        const scroll = box.querySelector(".livemap-scroll");
        const left = scroll?.scrollLeft ?? 0;
        const restore = focused();
        tag = answer.headers.get("ETag") ?? "";
        box.innerHTML = await answer.text();
        const moved = box.querySelector(".livemap-scroll");
        if (moved) moved.scrollLeft = left;
        restore();
        document.dispatchEvent(new CustomEvent("htmx:after:swap"));
      }
    } catch {
      /* the network is away: the next turn asks again */
    } finally {
      asking = false;
    }
  }

  setInterval(ask, EVERY);
  document.addEventListener("visibilitychange", ask);
})();
