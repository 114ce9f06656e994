// The theme: which one is in use, and its colours for the canvas, read once per change from theme.css.

const KEY = "fastgo-theme";
const THEMES = ["auto", "light", "dark"];
const root = document.documentElement;

export const SYSTEM_DARK = matchMedia("(prefers-color-scheme: dark)");

export const palette = {
  engines: [], neutral: "", grid: "", text: "", cursor: "", limit: "", surface: "", selection: "", bands: {}, levels: {}, font: "", size: 11,
};

function readPalette() {
  const style = getComputedStyle(root);
  const token = (name) => style.getPropertyValue(name).trim();
  palette.engines = [0, 1, 2, 3, 4, 5].map((i) => token(`--engine-${i}`));
  palette.grid = token("--grid");
  palette.text = token("--muted");
  palette.cursor = token("--cursor");
  palette.limit = token("--bad");
  palette.surface = token("--surface");
  palette.selection = token("--selection");
  for (const level of ["bad", "warn", "info"]) {
    palette.bands[level] = token(`--band-${level}`);
    palette.levels[level] = token(level === "info" ? "--muted" : `--${level}`);
  }
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

/** Applies the chosen theme, or the system's; paper is always light. */
export function applyTheme({ onPaper = false } = {}) {
  const choice = onPaper ? "light" : theme();
  root.dataset.theme = choice === "auto" ? (SYSTEM_DARK.matches ? "dark" : "light") : choice;
  readPalette();
}
