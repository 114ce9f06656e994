// Runs before the first paint, so that the page never flashes in the other theme. palette.js takes over from here.
{
  const root = document.documentElement;
  let choice = null;
  try {
    choice = localStorage.getItem("fastgo-theme");
  } catch {
    // Storage can be switched off; the page then follows the system's theme.
  }
  root.dataset.choice = choice === "light" || choice === "dark" ? choice : "auto";
  const dark = root.dataset.choice === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : choice === "dark";
  root.dataset.theme = dark ? "dark" : "light";
}
