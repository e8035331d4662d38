/**
 * The hardware that mappings are made for: published accelerators as data files, and the GPU in the machine, seen as one more
 * accelerator. Think of a workgroup as the chip: its memory is the global buffer, its invocations are the PEs.
 */
import { OptionError } from '../../src/errors.ts'
import type { DeviceFacts } from '../../src/gpu/program.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import { workgroupWords } from '../../src/schedule/lowering/lower.ts'
import { parseHardware } from '../../src/schedule/parse.ts'
import a100Like from './a100-like.json' with { type: 'json' }
import dadiannao from './dadiannao.json' with { type: 'json' }
import diannao from './diannao.json' with { type: 'json' }
import eie from './eie.json' with { type: 'json' }
import eyeriss from './eyeriss.json' with { type: 'json' }
import eyerissChip from './eyeriss-chip.json' with { type: 'json' }
import isaacLike from './isaac-like.json' with { type: 'json' }
import nnX from './nn-x.json' with { type: 'json' }
import nvdlaLike from './nvdla-like.json' with { type: 'json' }
import scnn from './scnn.json' with { type: 'json' }
import shidiannao from './shidiannao.json' with { type: 'json' }
import simbaLike from './simba-like.json' with { type: 'json' }
import tetris from './tetris.json' with { type: 'json' }
import tpuV1 from './tpu-v1.json' with { type: 'json' }
import uclaFpga from './ucla-fpga.json' with { type: 'json' }

const PUBLISHED: Readonly<Record<string, unknown>> = {
  eyeriss,
  'eyeriss-chip': eyerissChip,
  'tpu-v1': tpuV1,
  diannao,
  dadiannao,
  shidiannao,
  'nn-x': nnX,
  'ucla-fpga': uclaFpga,
  eie,
  scnn,
  'nvdla-like': nvdlaLike,
  'simba-like': simbaLike,
  tetris,
  'a100-like': a100Like,
  'isaac-like': isaacLike,
}

/** Names that `hardwareNamed` knows. */
export const HARDWARE_NAMES: readonly string[] = Object.keys(PUBLISHED)

/** A published accelerator. @throws OptionError for an unknown name */
export function hardwareNamed(name: string): Hardware {
  if (!Object.hasOwn(PUBLISHED, name)) {
    throw new OptionError(`There is no hardware called "${name}"`, {
      remedy: `Known are ${HARDWARE_NAMES.join(', ')}; or give a JSON file`,
    })
  }
  return parseHardware(PUBLISHED[name])
}

/** Words (of 32 bits) that an invocation may hold in private variables before compilers spill. */
const REGISTER_WORDS = 64
/** Lanes along each axis of a workgroup. */
const LANES = 16

/**
 * A GPU as a hardware:
 *
 *     DRAM  storage buffers        fan-out: the grid, without multicast (each workgroup issues its own loads)
 *     GLB   var<workgroup>         fan-out: 16×16 invocations, fewer where a workgroup holds fewer; 16 words are left to counters
 *     RF    private variables      64 words
 *
 * Energies are the normalised 200/6/2/1/1 of ISCA 2016, modelled: a GPU's own are not visible.
 * @param facts the adapter's limits
 */
export function gpuHardware(facts: DeviceFacts): Hardware {
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupsPerDimension } = facts.limits
  const x = Math.min(LANES, maxComputeInvocationsPerWorkgroup)
  const y = Math.min(LANES, Math.floor(maxComputeInvocationsPerWorkgroup / x))
  return {
    name: 'gpu',
    source: "The adapter's limits; energies normalised to one MAC after Chen, Emer, Sze, ISCA 2016, Table IV",
    array: { x, y },
    levels: [
      {
        name: 'DRAM',
        energy: 200,
        fanout: { x: maxComputeWorkgroupsPerDimension, y: maxComputeWorkgroupsPerDimension },
        multicast: false,
      },
      { name: 'GLB', words: workgroupWords(facts), energy: 6, fanout: { x, y } },
      { name: 'RF', words: REGISTER_WORDS, energy: 1 },
    ],
    network: { energy: 2 },
    mac: { energy: 1 },
    word_bits: 32,
    energy_unit: 'MAC',
    energies: { published: [], normalised: ['mac', 'DRAM', 'GLB', 'RF', 'network'] },
    notes: ['Caches are not modelled: storage buffers are DRAM', 'Subgroup operations and workgroup memory are one network'],
  }
}
