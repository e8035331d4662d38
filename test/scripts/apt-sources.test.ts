/** The machine's apt sources in both formats, and which of them is the distribution's own archive. */
import { describe, expect, test } from 'vitest'
import {
  distribution,
  ownArchive,
  parseDeb822,
  parseList,
  parseOsRelease,
  releases,
  sourcesFile,
} from '../../scripts/setup/apt-sources.mjs'

const DEBIAN = { family: 'debian', codename: 'bookworm' } as const
const UBUNTU = { family: 'ubuntu', codename: 'noble' } as const

describe('one line per source', () => {
  test('reads options, components and comments', () => {
    const sources = parseList(
      [
        '# deb http://old.example/debian bookworm main',
        'deb [ arch=amd64 signed-by=/usr/share/keyrings/x.gpg trusted=yes ] http://mirror.example/debian bookworm main contrib # here',
        'deb-src http://mirror.example/debian bookworm main',
        '',
        'deb\thttp://mirror.example/flat ./',
      ].join('\n'),
    )
    expect(sources).toEqual([
      {
        uris: ['http://mirror.example/debian'],
        suites: ['bookworm'],
        components: ['main', 'contrib'],
        signedBy: '/usr/share/keyrings/x.gpg',
        trusted: true,
      },
      { uris: ['http://mirror.example/flat'], suites: ['./'], components: [], signedBy: undefined, trusted: false },
    ])
  })

  test('reads options without spaces at the brackets', () => {
    const [source] = parseList('deb [signed-by=/k.gpg] https://mirror.example/debian trixie main')
    expect(source).toMatchObject({ signedBy: '/k.gpg', trusted: false, suites: ['trixie'] })
  })
})

describe('deb822', () => {
  test('reads stanzas, several values, any case, comments inside, disabled ones', () => {
    const sources = parseDeb822(
      [
        'Types: deb deb-src',
        '# a comment inside',
        'URIs: http://a.example/debian http://b.example/debian',
        'suites: bookworm',
        ' bookworm-updates',
        'Components: main',
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
        '  ',
        'Enabled: no',
        'Types: deb',
        'URIs: http://off.example/debian',
        'Suites: bookworm',
        'Components: main',
        '',
        'Types: deb-src',
        'URIs: http://source.example/debian',
        'Suites: bookworm',
        'Components: main',
      ].join('\r\n'),
    )
    expect(sources).toEqual([
      {
        uris: ['http://a.example/debian', 'http://b.example/debian'],
        suites: ['bookworm', 'bookworm-updates'],
        components: ['main'],
        signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg',
        trusted: false,
      },
    ])
  })

  test('keeps a key that is written into the file, and writes it again', () => {
    const key = ['Signed-By:', ' -----BEGIN PGP PUBLIC KEY BLOCK-----', ' .', ' mQINBF', ' -----END PGP PUBLIC KEY BLOCK-----']
    const stanza = ['Types: deb', 'URIs: http://m.example/debian', 'Suites: trixie', 'Components: main', ...key].join('\n')
    const [source] = parseDeb822(stanza)
    expect(source?.signedBy).toBe(key.join('\n').replace('Signed-By:', ''))
    if (source === undefined) throw new Error('no source')
    const [again] = parseDeb822(sourcesFile(source, ['trixie'], 'amd64'))
    expect(again).toMatchObject({ signedBy: source.signedBy, suites: ['trixie'], components: ['main'] })
  })
})

describe('the own archive', () => {
  const own = parseDeb822('Types: deb\nURIs: http://own.example/debian\nSuites: bookworm bookworm-updates\nComponents: main')
  const [cloud] = parseList('deb http://cloud.example/apt cloud-sdk-bookworm main')
  const [other] = parseList('deb [signed-by=/etc/apt/keyrings/other.gpg] http://other.example bookworm main')

  test('is not one of another publisher with the same suite', () => {
    if (cloud === undefined || other === undefined) throw new Error('not parsed')
    expect(ownArchive([cloud, other, ...own], DEBIAN)?.uris).toEqual(['http://own.example/debian'])
  })

  test('is the one with the archive keyring, whatever its path', () => {
    const signed = parseList(
      'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://proxy.example/x/y bookworm main\n' +
        'deb http://own.example/debian bookworm main',
    )
    expect(ownArchive(signed, DEBIAN)?.uris).toEqual(['http://proxy.example/x/y'])
  })

  test('is no CD, no archive without main, none of another release', () => {
    const lines = [
      'deb cdrom:[Debian]/ bookworm main',
      'deb http://x.example/debian bookworm contrib',
      'deb http://y.example/debian noble main',
    ]
    expect(ownArchive(parseList(lines.join('\n')), DEBIAN)).toBeUndefined()
    expect(ownArchive(parseList(lines.join('\n')), UBUNTU)?.uris).toEqual(['http://y.example/debian'])
  })

  test('may be named by its rolling suite', () => {
    expect(ownArchive(parseList('deb http://x.example/debian stable main'), DEBIAN)).toBeDefined()
  })
})

describe('the distribution', () => {
  test('is read from os-release, also of derivatives', () => {
    const debian = parseOsRelease('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n')
    expect(debian.PRETTY_NAME).toBe('Debian GNU/Linux 12 (bookworm)')
    expect(distribution(debian)).toEqual(DEBIAN)
    expect(
      distribution(parseOsRelease("ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble")),
    ).toEqual(UBUNTU)
    expect(distribution(parseOsRelease('ID=fedora\nVERSION_ID=43'))).toBeUndefined()
  })

  test('says where Mesa is taken from, best first, each once', () => {
    expect(releases(DEBIAN).map(({ target }) => target)).toEqual(['trixie-backports', 'bookworm-backports'])
    expect(releases({ family: 'debian', codename: 'trixie' }).map(({ suites }) => suites)).toEqual([['trixie', 'trixie-backports']])
    expect(releases({ family: 'debian', codename: '' })).toHaveLength(1)
    expect(releases(UBUNTU).map(({ target }) => target)).toEqual(['resolute-updates', 'noble-updates'])
  })
})
