/* What a page gains when scripts run: keys, theme, copying, times in other zones, menus that close. Without it all works.
   Stays out: anything that fetches (htmx does), anything that decides. */
(() => {
  "use strict";
  const root = document.documentElement;
  const words = () => document.getElementById("help")?.dataset ?? {};
  const typing = (el) => el.closest("input, textarea, select, [contenteditable], dialog[open]") !== null;

  /* ----- Theme: as the system, light, dark; kept in a cookie so that the server draws it at once. ----- */
  function themeNext() {
    const order = ["", "light", "dark"];
    const next = order[(order.indexOf(root.dataset.theme ?? "") + 1) % 3];
    if (next) root.dataset.theme = next;
    else delete root.dataset.theme;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${next}; Path=/; Max-Age=${next ? 31536000 : 0}; SameSite=Lax${secure}`;
    toast({ "": words().themeAuto, light: words().themeLight, dark: words().themeDark }[next]);
  }

  /* ----- A word at the foot of the page, read out politely. ----- */
  let toastTimer;
  function toast(text) {
    if (!text) return;
    let box = document.querySelector(".toast");
    if (!box) {
      box = document.createElement("div");
      box.className = "toast";
      box.setAttribute("role", "status");
      document.body.append(box);
    }
    box.textContent = text;
    box.hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => (box.hidden = true), 1800);
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.classList.add("is-done");
      setTimeout(() => button.classList.remove("is-done"), 1500);
      toast(`${words().copied}: ${button.dataset.copy}`);
    } catch {
      toast(button.dataset.copy);
    }
  }

  /* ----- Times: at the place (as served), in the reader's zone, in UTC. ----- */
  const MODES = ["local", "own", "utc"];
  let mode = MODES.includes(sessionStorage.getItem("times")) ? sessionStorage.getItem("times") : "local";
  const own = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  function format(iso, options) {
    return new Intl.DateTimeFormat(root.lang === "en" ? "en-GB" : root.lang, options).format(new Date(iso)).replace(",", "");
  }
  function timesShow(within) {
    for (const el of within.querySelectorAll('time[datetime$="Z"]')) {
      el._served ??= el.innerHTML;
      el._title ??= el.title;
      el.title = `${el._title}\n${format(el.dateTime, own)} (${words().yours})`;
      if (mode === "local") el.innerHTML = el._served;
      else el.textContent = format(el.dateTime, mode === "utc" ? { ...own, timeZone: "UTC" } : own);
    }
    for (const button of document.querySelectorAll("[data-times]"))
      button.textContent = { local: words().timesLocal, own: words().timesOwn, utc: words().timesUtc }[mode];
  }
  function timesNext() {
    mode = MODES[(MODES.indexOf(mode) + 1) % 3];
    sessionStorage.setItem("times", mode);
    timesShow(document);
    toast({ local: words().timesLocal, own: words().timesOwn, utc: words().timesUtc }[mode]);
  }

  /* ----- Lists: j and k move between the rows' own links, so Enter opens and a screen reader follows. ----- */
  function rowMove(step) {
    const links = [...document.querySelectorAll("main .rowlink, main .attention .what")];
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = links[Math.min(links.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  /* ----- Lists: what is ticked is what the buttons below mean; x ticks the row that is looked at. ----- */
  function tick() {
    const box = document.activeElement?.closest("tr")?.querySelector(".cell-title > input");
    if (box) box.checked = !box.checked;
  }
  function tickAll(all) {
    for (const box of all.form.querySelectorAll(".cell-title > input")) box.checked = all.checked;
  }

  /* A list of references that is pasted into a search box keeps its lines apart, as commas. */
  function pasteList(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!/[\r\n\t]/.test(text.trim())) return;
    event.preventDefault();
    const box = event.target;
    box.setRangeText(text.trim().split(/[\r\n\t]+/).map((part) => part.trim()).filter(Boolean).join(", "), box.selectionStart, box.selectionEnd, "end");
  }

  /* ----- Keys ----- */
  let before = "";
  const keys = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    j: () => rowMove(1),
    k: () => rowMove(-1),
    x: tick,
    t: timesNext,
    "[": () => document.querySelector('a[rel="prev"]')?.click(),
    "]": () => document.querySelector('a[rel="next"]')?.click(),
    "?": () => document.getElementById("help")?.showModal(),
    h: () => before === "g" && document.querySelector(".brand")?.click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details[data-menu][open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
      if (document.activeElement?.matches("[data-search]")) document.activeElement.blur();
      return;
    }
    if (typing(event.target)) return;
    const act = keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
    before = event.key;
  });

  document.addEventListener("click", (event) => {
    const el = event.target;
    for (const menu of document.querySelectorAll("details[data-menu][open]")) if (!menu.contains(el)) menu.open = false;
    const button = el.closest("[data-copy], [data-theme-toggle], [data-times], [data-help], [data-print]");
    if (button?.dataset.copy) copy(button);
    else if (button?.matches("[data-theme-toggle]")) themeNext();
    else if (button?.matches("[data-times]")) timesNext();
    else if (button?.matches("[data-help]")) keys["?"]();
    else if (button?.matches("[data-print]")) window.print();
    else {
      const row = el.closest("tr[data-href], [data-rows] > tr");
      if (row && !el.closest("a, button, input, label, select, summary") && !String(getSelection())) row.querySelector(".rowlink")?.click();
    }
  });

  /* ----- Comments: behind an @ the names that can be told; arrows choose, Enter or Tab writes the name. ----- */
  const mention = { box: null, list: null, at: -1 };
  function mentionClose() {
    mention.list?.remove();
    mention.box?.removeAttribute("aria-activedescendant");
    mention.box?.removeAttribute("aria-controls");
    mention.list = null;
  }
  function mentionOffer(box) {
    mentionClose();
    const upto = box.value.slice(0, box.selectionStart);
    const asked = /(?:^|[^\p{L}\p{N}])@([\p{L}\p{N}][\p{L}\p{N} .'-]{0,39}|)$/u.exec(upto);
    if (!asked) return;
    const names = [...document.querySelectorAll(`#${box.dataset.mentions} option`)].map((o) => o.value);
    const word = asked[1].toLowerCase();
    const hits = names.filter((n) => n.toLowerCase() !== word && n.toLowerCase().split(/\s+/).some((_, i, all) => all.slice(i).join(" ").startsWith(word))).slice(0, 6);
    if (!hits.length) return;
    const list = document.createElement("ul");
    Object.assign(list, { className: "mention-list", id: "mention-list" });
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", box.dataset.people);
    hits.forEach((name, n) => {
      const item = document.createElement("li");
      Object.assign(item, { id: `mention-${n}`, textContent: name });
      item.setAttribute("role", "option");
      item.addEventListener("mousedown", (event) => (event.preventDefault(), mentionTake(n)));
      list.append(item);
    });
    Object.assign(mention, { box, list, at: box.selectionStart - asked[1].length });
    box.after(list);
    box.setAttribute("aria-controls", "mention-list");
    mentionMark(0);
  }
  function mentionMark(n) {
    [...mention.list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === n)));
    mention.box.setAttribute("aria-activedescendant", `mention-${n}`);
  }
  function mentionTake(n) {
    const { box, list, at } = mention;
    box.setRangeText(`${list.children[n].textContent} `, at, box.selectionStart, "end");
    mentionClose();
  }
  document.addEventListener("input", (event) => event.target.matches("[data-mentions]") && mentionOffer(event.target));
  document.addEventListener("focusout", (event) => event.target === mention.box && mentionClose());
  document.addEventListener("keydown", (event) => {
    if (!mention.list || event.target !== mention.box || event.isComposing) return;
    const items = [...mention.list.children];
    const now = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
    const acts = {
      ArrowDown: () => mentionMark((now + 1) % items.length),
      ArrowUp: () => mentionMark((now + items.length - 1) % items.length),
      Enter: () => mentionTake(now),
      Tab: () => mentionTake(now),
      Escape: mentionClose,
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    acts[event.key]();
  }, true);

  document.addEventListener("change", (event) => event.target.matches("[data-tick-all]") && tickAll(event.target));
  document.addEventListener("paste", (event) => event.target.matches?.("input[type=search]") && pasteList(event));

  /* A step that must not be taken twice: the second press finds its button asleep. */
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.defaultPrevented) return;
    const button = event.submitter;
    setTimeout(() => button && button.setAttribute("aria-disabled", "true"), 0);
    if (event.target.dataset.sent) event.preventDefault();
    else event.target.dataset.sent = "1";
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  function dress(within) {
    for (const el of within.querySelectorAll("[data-theme-toggle], [data-copy], [data-times], [data-help], [data-print], .bulk-all")) el.hidden = false;
    for (const el of within.querySelectorAll("[data-mentions]")) el.setAttribute("aria-autocomplete", "list");
    timesShow(within);
  }
  dress(document);
  document.addEventListener("htmx:after:swap", () => dress(document));
})();
