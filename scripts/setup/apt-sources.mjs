/**
 * The machine's own apt sources, read to find the mirror of its distribution and the keyring that signs it: both formats of
 * sources.list(5), one line per source (`deb [options] URI SUITE COMPONENT…`) and deb822 stanzas (`.sources`).
 */

/**
 * @typedef {object} AptSource one archive: binary packages only
 * @property {string[]} uris
 * @property {string[]} suites
 * @property {string[]} components
 * @property {string | undefined} signedBy a keyring's path, fingerprints, or a whole key in deb822's escaped form
 * @property {boolean} trusted the administrator trusts it unsigned
 */

/**
 * Parses a `.list` file.
 * @param {string} text
 * @returns {AptSource[]}
 */
export function parseList(text) {
  const sources = []
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)\s*$/.exec(line.replace(/#.*/, ''))
    if (match === null) continue
    const [, options = '', uri, suite, components] = match
    const given = Object.fromEntries(
      options
        .trim()
        .split(/\s+/)
        .filter((option) => option.includes('='))
        .map((option) => {
          const at = option.indexOf('=')
          return [option.slice(0, at).replace(/[+-]$/, '').toLowerCase(), option.slice(at + 1)]
        }),
    )
    sources.push({
      uris: [uri],
      suites: [suite],
      components: components.trim() === '' ? [] : components.trim().split(/\s+/),
      signedBy: given['signed-by'],
      trusted: given.trusted === 'yes',
    })
  }
  return sources
}

/**
 * Parses a `.sources` file (deb822 stanzas; fields in any case, continuation lines, comments, `Enabled: no`).
 * @param {string} text
 * @returns {AptSource[]}
 */
export function parseDeb822(text) {
  const lines = text.split(/\r?\n/).filter((line) => !line.startsWith('#'))
  const sources = []
  for (const stanza of lines.join('\n').split(/\n[ \t]*\n/)) {
    const fields = new Map()
    let name
    for (const line of stanza.split('\n')) {
      const field = /^([^\s:]+):[ \t]*(.*)$/.exec(line)
      if (field !== null) {
        name = field[1].toLowerCase()
        fields.set(name, field[2].trim())
      } else if (/^[ \t]/.test(line) && name !== undefined) {
        fields.set(name, `${fields.get(name)}\n ${line.trim()}`)
      }
    }
    const words = (key) => (fields.get(key) ?? '').split(/\s+/).filter((word) => word !== '')
    if (!words('types').includes('deb') || /^(no|false|0)$/i.test(fields.get('enabled') ?? 'yes')) continue
    const signedBy = fields.get('signed-by')
    sources.push({
      uris: words('uris'),
      suites: words('suites'),
      components: words('components'),
      signedBy: signedBy === '' ? undefined : signedBy,
      trusted: /^(yes|true|1)$/i.test(fields.get('trusted') ?? ''),
    })
  }
  return sources
}

/**
 * Parses os-release(5).
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function parseOsRelease(text) {
  const facts = {}
  for (const line of text.split('\n')) {
    const match = /^([A-Z_0-9]+)=(.*)$/.exec(line.trim())
    if (match !== null) facts[match[1]] = match[2].replace(/^(["'])(.*)\1$/, '$2')
  }
  return facts
}

const DEBIAN_SUITES = ['stable', 'oldstable', 'testing', 'unstable', 'sid', 'bullseye', 'bookworm', 'trixie', 'forky']

/**
 * Which distribution's packages the machine takes: Debian's or Ubuntu's, also for what derives from them.
 * @param {Record<string, string>} os
 * @returns {{ family: 'debian' | 'ubuntu', codename: string } | undefined}
 */
export function distribution(os) {
  const names = [os.ID ?? '', ...(os.ID_LIKE ?? '').split(' ')]
  if (names.includes('ubuntu')) return { family: 'ubuntu', codename: os.UBUNTU_CODENAME ?? os.VERSION_CODENAME ?? '' }
  if (names.includes('debian')) return { family: 'debian', codename: os.DEBIAN_CODENAME ?? os.VERSION_CODENAME ?? '' }
  return undefined
}

/**
 * The source that is the distribution's own archive, among those of other publishers with the same suite names: one signed by the
 * distribution's archive keyring before one whose path ends in its name before any other with its component `main`.
 * @param {readonly AptSource[]} sources
 * @param {{ family: 'debian' | 'ubuntu', codename: string }} dist
 * @returns {AptSource | undefined} with one URI kept per entry
 */
export function ownArchive(sources, { family, codename }) {
  const suites = family === 'debian' ? new Set([codename, ...DEBIAN_SUITES]) : new Set([codename])
  const score = (source) => {
    const keyring = new RegExp(`/${family}-archive-`).test(source.signedBy ?? '') ? 4 : 0
    const path = source.uris.some((uri) => new RegExp(`/${family}(-ports)?/?$`).test(uri)) ? 2 : 0
    const updates = sources.some(
      (other) => other.uris.some((uri) => source.uris.includes(uri)) && other.suites.includes(`${codename}-updates`),
    )
    return keyring + path + (updates ? 1 : 0)
  }
  return sources
    .filter((source) => source.components.includes('main') && source.suites.some((suite) => suites.has(suite)))
    .map((source) => ({ ...source, uris: source.uris.filter((uri) => !uri.startsWith('cdrom:')) }))
    .filter((source) => source.uris.length > 0)
    .map((source) => ({ source, score: score(source) }))
    .sort((a, b) => b.score - a.score)[0]?.source
}

/**
 * The releases to take Mesa from, best first: the first has subgroup matrices in its software adapter.
 * @param {{ family: 'debian' | 'ubuntu', codename: string }} dist
 * @returns {{ suites: string[], target: string }[]} `target` is apt's target release
 */
export function releases({ family, codename }) {
  const list =
    family === 'debian'
      ? [
          ['trixie', 'backports'],
          [codename, 'backports'],
        ]
      : [
          ['resolute', 'updates'],
          [codename, 'updates'],
        ]
  return list
    .filter(([name], index) => name !== '' && list.findIndex(([other]) => other === name) === index)
    .map(([name, extra]) => ({ suites: [name, `${name}-${extra}`], target: `${name}-${extra}` }))
}

/**
 * The deb822 text that reads `suites` from the machine's own archive.
 * @param {AptSource} archive
 * @param {readonly string[]} suites
 * @param {string} architecture as dpkg names it
 */
export function sourcesFile(archive, suites, architecture) {
  return [
    'Types: deb',
    `URIs: ${archive.uris.join(' ')}`,
    `Suites: ${suites.join(' ')}`,
    'Components: main',
    `Architectures: ${architecture}`,
    ...(archive.signedBy === undefined ? [] : [`Signed-By: ${archive.signedBy}`]),
    ...(archive.trusted ? ['Trusted: yes'] : []),
    '',
  ].join('\n')
}
