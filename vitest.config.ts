/**
 * Two projects: `unit` needs no GPU; `gpu` opens a device through Dawn.
 * Where the software adapter is unpacked, forks start through its `node` wrapper, so that they see its Vulkan driver
 * (set TILEWRIGHT_ADAPTER=gpu to test on the machine's own GPU instead).
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const wrapper = fileURLToPath(new URL('.cache/adapter/node', import.meta.url))
if (existsSync(wrapper) && process.env.TILEWRIGHT_ADAPTER !== 'gpu') process.execPath = wrapper

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/**/*.gpu.test.ts', 'test/e2e/**'] } },
      { extends: true, test: { name: 'gpu', include: ['test/**/*.gpu.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 600_000, hookTimeout: 600_000 } },
    ],
  },
})
