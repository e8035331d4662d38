/** The set-up of `npm test` alone: dependencies, adapter, the whole build. CI calls it before it lints. */
import { main, setUp } from './setup/index.mjs'

await main(async () => {
  await setUp({ build: 'all' })
  return 0
})
