/**
 * Where conformance data lie: published models and pictures that the project does not ship. TILEWRIGHT_CONFORMANCE names the folder;
 * without it, `shared/conformance` beside the project is used. Tests that need it are skipped where it is not there, and say so.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = process.env['TILEWRIGHT_CONFORMANCE'] ?? fileURLToPath(new URL('../../../shared/conformance', import.meta.url))

export const hasConformance = existsSync(folder)

export function conformance(path: string): string {
  return `${folder}/${path}`
}
