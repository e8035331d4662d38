/** The buttons at the top of a page: save what it shows, and light or dark. */
import { download, h } from './dom.ts'

/** Saves `value` as STEM.json and `csv` as STEM.csv; the last one changes the colour scheme. */
export function pageButtons(stem: string, value: unknown, csv: () => string): HTMLElement[] {
  const schemes = ['light dark', 'light', 'dark'] as const
  const names = { 'light dark': 'Auto', light: 'Light', dark: 'Dark' }
  let scheme: (typeof schemes)[number] = 'light dark'
  const theme = h('button', { type: 'button', class: 'tw-button', 'aria-label': 'Colour scheme: auto' }, 'Auto')
  theme.addEventListener('click', () => {
    scheme = schemes[(schemes.indexOf(scheme) + 1) % schemes.length] ?? 'light dark'
    document.documentElement.style.colorScheme = scheme
    theme.textContent = names[scheme]
    theme.setAttribute('aria-label', `Colour scheme: ${names[scheme].toLowerCase()}`)
  })
  return [
    h(
      'button',
      {
        type: 'button',
        class: 'tw-button',
        click: () => {
          download(`${stem}.json`, 'application/json', `${JSON.stringify(value, null, 2)}\n`)
        },
      },
      'Save JSON',
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'tw-button',
        click: () => {
          download(`${stem}.csv`, 'text/csv', csv())
        },
      },
      'Save CSV',
    ),
    theme,
  ]
}
