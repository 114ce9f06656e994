// The theme: which one holds, and its colours for the canvas, read once per change from theme.css.

const KEY = "fastgo-theme";
const THEMES = ["auto", "light", "dark"];
const root = document.documentElement;

export const SYSTEM_DARK = matchMedia("(prefers-color-scheme: dark)");

export const palette = { engines: [], neutral: "", grid: "", text: "", cursor: "", limit: "", surface: "", font: "", size: 11 };

function readPalette() {
  const style = getComputedStyle(root);
  const token = (name) => style.getPropertyValue(name).trim();
  palette.engines = [0, 1, 2, 3, 4, 5].map((i) => token(`--engine-${i}`));
  palette.grid = token("--grid");
  palette.text = token("--muted");
  palette.cursor = token("--cursor");
  palette.limit = token("--bad");
  palette.surface = token("--surface");
  palette.neutral = token("--neutral-line");
  palette.size = Math.round(parseFloat(style.fontSize) * 0.79);
  palette.font = `${palette.size}px ${getComputedStyle(document.body).fontFamily}`;
}

/** The chosen theme: `auto`, `light` or `dark`. */
export function theme() {
  return root.dataset.choice;
}

/** The theme after the current one, going round. */
export function nextTheme() {
  return THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
}

export function setTheme(choice) {
  root.dataset.choice = choice;
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // Without storage the choice lasts until the page is left.
  }
}

/** Puts the chosen theme, or the system's, into force. */
export function applyTheme() {
  const choice = theme();
  root.dataset.theme = choice === "auto" ? (SYSTEM_DARK.matches ? "dark" : "light") : choice;
  readPalette();
}
