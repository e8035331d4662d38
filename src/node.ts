/** The Node entry: the same API, with Dawn as its WebGPU and paths beside URLs. */
import './gpu/node.ts'
import './formats/node-files.ts'

export * from './index.ts'
export { nodeMapWorker } from './schedule/search/node-spawn.ts'
