// The bar on top of the runs page: the other pages, which board this is, and the theme.

import { h } from "../dom.js";
import { ThemeButton, brand, navigation, pageLinks } from "../masthead.js";
import { Where } from "../where.js";

export class Bar {
  where = new Where();

  /** `themed()` is called when the theme was changed. */
  constructor(themed) {
    this.element = h("header", { class: "bar runs-bar" }, ...brand(), navigation(pageLinks()), this.where.element, new ThemeButton(themed).element);
  }
}
