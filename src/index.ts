/** The public API, and nothing else. The browser bundle starts here; Node's starts at node.ts, which adds Dawn and files. */
import './profile/tuning-indexeddb.ts'

export * from './errors.ts'
export { DTYPES, type DType, type HostArray } from './tensor/dtype.ts'
export type { Shape } from './tensor/shape.ts'
export { HostTensor, tensor, type Tensor, type TensorData, type TensorType } from './tensor/tensor.ts'
export { openGpu, type Gpu, type GpuOptions } from './gpu/gpu.ts'
export type { DeviceTensor } from './gpu/device-tensor.ts'
export type { DeviceFacts, DeviceLimits } from './gpu/program.ts'
export * as ops from './ops/index.ts'
export { quantizeInt8, type Int8Options, type Quantized } from './precision/int8.ts'
export { quantizeWeights, type PackedWeights, type WeightOptions } from './precision/weights.ts'
export type { Graph, GraphInput, GraphNode, UnsupportedNode } from './graph/graph.ts'
export { graph } from './graph/builder.ts'
export { compile, type Model, type CompileOptions } from './graph/model.ts'
export { exportOnnx } from './formats/onnx/export.ts'
export { rewriteOnnx } from './formats/onnx/rewrite.ts'
export { channelGroups, permuteGroup, type ChannelGroup, type ChannelGroups } from './graph/channel-groups.ts'
export { pruneGraph, type Pruned, type PrunedLayer, type PruneOptions, type PruneReport } from './graph/prune.ts'
export { energyLayers, planByEnergy, pruneByPlan, type EnergyOptions, type EnergyPlan } from './graph/prune-energy.ts'
export {
  energyOrder,
  energyTotals,
  priceLayers,
  spreadByEnergy,
  type EnergyLayer,
  type EnergyTotals,
  type LayerEnergy,
  type Price,
  type PricedLayer,
  type PriceOptions,
  type Spread,
  type ZeroPrices,
} from './sparsity/energy-aware.ts'
export { comparePruned, type Comparison, type LabelledInput } from './profile/prune-compare.ts'
export { loadTwoOfFour, saveTwoOfFour } from './formats/two-of-four.ts'
export { loadSemiStructured, saveSemiStructured, type SemiStructuredFile } from './formats/two-of-four-torch.ts'
export {
  checkTwoOfFour,
  holdsTwoOfFour,
  packTwoOfFour,
  quantiseTwoOfFour,
  twoOfFourBytes,
  unpackTwoOfFour,
  type TwoOfFour,
} from './sparsity/two-of-four.ts'
export { maskReport, pruneMask, type Weights } from './sparsity/mask.ts'
export { parsePattern, patternName, type PrunePattern } from './sparsity/pattern.ts'
export { searchPermutation } from './sparsity/permutation.ts'
export { sparseGraph, type SparseGraph, type SparsityChoice } from './graph/sparsity.ts'
export { checkCsc, cscBytes, packCsc, unpackCsc, type Csc } from './sparsity/csc.ts'
export { checkCsr, csrBytes, packCsr, unpackCsr, type Csr } from './sparsity/csr.ts'
export { checkEie, eieBytes, eieReport, packEie, unpackEie, type Eie, type EieOptions, type EieReport } from './sparsity/eie.ts'
export { fromSemiStructured, toSemiStructured, type MetaOrder, type SemiStructured } from './sparsity/semi-structured.ts'
export { loadGraph, loadModel, type LoadedGraph, type LoadOptions, type ModelSource } from './graph/load.ts'
export { convProblem, gemmProblem, macsOf, type Dimension, type Operand, type Problem } from './schedule/problem.ts'
export type { Hardware, StorageLevel } from './schedule/hardware.ts'
export type { Loop, Mapping, MappingLevel } from './schedule/mapping.ts'
export { DATAFLOW_NAMES, DATAFLOWS, dataflowNamed, type Dataflow, type DataflowName } from './schedule/dataflow.ts'
export { mapProblem, type MapOptions, type MapProgress, type MapResult, type Objective, type Searched } from './schedule/mapper.ts'
export {
  mapMany,
  serveMapTasks,
  webMapWorker,
  type ManyOptions,
  type MapOutcome,
  type MapTask,
  type MapWorker,
} from './schedule/search/many.ts'
export { loopNest } from './schedule/loopnest.ts'
export {
  readTimeloop,
  timeloopArchitecture,
  timeloopFile,
  timeloopMapping,
  timeloopProblem,
  type ReadTimeloopOptions,
  type TimeloopFiles,
  type TimeloopOptions,
  type TimeloopSource,
} from './formats/timeloop/index.ts'
export { readConfig as readScaleSimConfig, readTopology as readScaleSimTopology, type Topology } from './formats/scalesim/index.ts'
export { evaluate, sparseEnergy } from './cost/evaluate.ts'
export type { Densities } from './cost/sparsity.ts'
export type { Density } from './cost/density.ts'
export { diffMappings, type DiffOptions, type DiffRow, type MappingDiff } from './cost/diff.ts'
export { compulsoryWork, machineOf, mappedWork, roofline, type Machine, type Roofline } from './cost/roofline.ts'
export type { Accesses, Evaluation, Issued, PerOperand, SparseCounts, SparseEvaluation } from './cost/evaluation.ts'
export { pricesOf, type Convention, type Prices } from './cost/prices.ts'
export { timeOf, type Counted, type Time } from './cost/time.ts'
export { ENERGY_SET_NAMES, ENERGY_SETS, memoryEnergy, withEnergies, type EnergySet } from './cost/energy-sets.ts'
export { atPrecision } from './cost/precision.ts'
export { runLengthBits, runLengthDecode, runLengthEncode, runLengthRatio, withRunLength } from './cost/compression.ts'
export { systolicMapping, systolicRun, type SystolicRun } from './cost/systolic.ts'
export { parseHardware, parseMapping, parseProblem } from './schedule/parse.ts'
export { gpuHardware, hardwareNamed as hardware } from '../models/hardware/index.ts'
export { NETWORKS, networkNamed, type NetworkOptions } from '../models/index.ts'
export { profileModel } from './profile/profile.ts'
export { traceMapping, type TraceOptions, type TraceReport } from './profile/traced.ts'
export type { TracedAccesses } from './schedule/lowering/accesses.ts'
export type { Account } from './schedule/lowering/trace-index.ts'
export { mirrorMapping, type Mirror } from './schedule/mirror.ts'
export { redoFigures, type RedoOptions } from './profile/figures/redo.ts'
export type { Figures } from './profile/figures/result.ts'
export { tuneProblem, type TriedMapping, type TuneOptions, type TuneProgress, type TuneResult } from './profile/tune.ts'
export { SYSTOLIC_NAMES, type SystolicName } from './schedule/systolic/shape.ts'
export { autotune, type AutotuneOptions, type AutotuneProgress, type AutotuneResult } from './profile/autotune.ts'
export { bareTask, modelTasks, type ModelTasks, type TaskOptions } from './profile/autotune-model.ts'
export type { TriedKernel, TunedProblem, TuneTask } from './profile/tournament.ts'
export { TuningStore, type TextPlace, type TunedEntry } from './profile/tuning.ts'
export type { TunedKernel, TuningSource } from './gpu/tuning.ts'
export type { ModelProfileOptions, ProfileOptions, ProfileProgress } from './profile/options.ts'
export type { AdapterDescription, Clock, DataflowReport, LayerReport, ProfileReport } from './profile/report.ts'
