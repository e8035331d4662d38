/** The report's style sheet, colours included: inlined by `renderReport`, added to the page by the demo. */
import css from './style.css?raw'

export function reportCss(): string {
  return css
}
