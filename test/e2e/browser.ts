/** What the browser tests share: headless Chromium with a software adapter, a static server, and when to skip. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { chromium, type Browser } from 'playwright-core'

const PLACES = [
  process.env['TILEWRIGHT_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:/Program Files/Google/Chrome/Application/chrome.exe',
]

/** Where Chromium is; undefined where it is not installed. */
export const CHROMIUM = PLACES.find((place) => place !== undefined && existsSync(place))

/** Why browser tests cannot run here; undefined when they can. In CI they must: there a missing browser is a failure, never a skip. */
export const SKIP =
  CHROMIUM === undefined && process.env['CI'] !== 'true'
    ? 'Chromium is not installed (Debian: apt-get install chromium; or set TILEWRIGHT_CHROMIUM to its path)'
    : undefined

/** Headless Chromium; with `webgpu`, on SwiftShader. */
export async function launch({ webgpu }: { webgpu: boolean }): Promise<Browser> {
  if (CHROMIUM === undefined)
    throw new Error('Chromium is not installed, and CI=true asks for the browser tests: apt-get install chromium')
  // The Vulkan variables of the software adapter's Node wrapper would hide SwiftShader.
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith('VK_')),
  )
  return chromium.launch({
    executablePath: CHROMIUM,
    env,
    args: [
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(webgpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : ['--disable-gpu']),
    ],
  })
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
}

/** Serves a folder on localhost. */
export async function serve(folder: string): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname)
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path)
    readFile(file).then(
      (bytes) => response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(bytes),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => {
          if (error === undefined) resolve()
          else reject(error)
        })
        server.closeAllConnections()
      }),
  }
}
