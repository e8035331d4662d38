/** WebGPU's flag values. Node has no `GPUBufferUsage` and `GPUMapMode` globals, and Tilewright adds none. */
export const BUFFER_USAGE = {
  mapRead: 0x0001,
  copySource: 0x0004,
  copyTarget: 0x0008,
  uniform: 0x0040,
  storage: 0x0080,
  queryResolve: 0x0200,
} as const

export const MAP_READ = 0x0001
export const COMPUTE_STAGE = 0x4
