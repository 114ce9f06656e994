// Small helpers to build and update the page. Styles are set by class, attribute or CSSOM only: the policy allows no others.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element: `on*` functions become listeners, `true`/`false` attributes are set bare or left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets text only when it changed, so that an unchanged second costs no layout. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets or, for null, removes an attribute, only when it changed. */
export function mark(element, name, value) {
  if (value === null || value === undefined) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

/** Shows or hides an element. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}
