/** SCALE-Sim's files: topologies (layers) and configurations (a systolic array). Its closed form is `cost/systolic.ts`. */
export { looksLikeConfig, readConfig } from './config.ts'
export { LARGEST_TOPOLOGY, looksLikeTopology, readTopology, type Topology, type TopologyLayer } from './topology.ts'
