/**
 * Projects: `unit` needs no GPU; `gpu` opens a device through Dawn; `package` installs what `npm pack` makes into empty
 * projects; `e2e` drives a browser.
 * Where the software adapter is unpacked, forks start through its `node` wrapper, so that they see its Vulkan driver
 * (set TILEWRIGHT_ADAPTER=gpu to test on the machine's own GPU instead; `npm test` does what fits the machine).
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const wrapper = fileURLToPath(new URL('.cache/adapter/node', import.meta.url))
if (existsSync(wrapper) && process.env.TILEWRIGHT_ADAPTER !== 'gpu') process.execPath = wrapper

const minutes = (count: number) => ({ testTimeout: count * 60_000, hookTimeout: count * 60_000 })

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // Tests choose kernels as on a new machine, never by what this one's user tuned.
    env: { TILEWRIGHT_TUNING: 'off' },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.gpu.test.ts', 'test/e2e/**', 'test/package/**'],
          ...minutes(1),
        },
      },
      { extends: true, test: { name: 'gpu', include: ['test/**/*.gpu.test.ts'], ...minutes(2) } },
      { extends: true, test: { name: 'package', include: ['test/package/**/*.test.ts'], ...minutes(5) } },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...minutes(10) } },
    ],
  },
})
