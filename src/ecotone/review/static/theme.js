// Light, dark or as the computer says: set before anything is drawn. No module, so that it is first.

(() => {
  const KEY = "ecotone.theme";
  const NEXT = { auto: "light", light: "dark", dark: "auto" };
  const SIGN = { auto: "◐", light: "☀", dark: "☾" };
  let theme = "auto";
  try {
    theme = localStorage.getItem(KEY) ?? "auto";
  } catch { /* storage is closed: as the computer says */ }
  if (!NEXT[theme]) theme = "auto";

  function show() {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    const button = document.getElementById("theme-button");
    if (!button) return;
    button.textContent = SIGN[theme];
    const words = `Colours: ${theme === "auto" ? "as the computer" : theme}`;
    button.setAttribute("aria-label", words);
    button.title = words;
  }

  show();
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme-button").addEventListener("click", () => {
      theme = NEXT[theme];
      try {
        localStorage.setItem(KEY, theme);
      } catch { /* it holds until the page is closed */ }
      show();
    });
  });
})();
