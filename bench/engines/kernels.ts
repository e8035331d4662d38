/** Where a kernel of ours comes from, read from the reason that a plan gives. */
import type { KernelCounts } from '../protocol.ts'

/**
 * Kernels kept from tuning. Reasons are what `choose` gives (src/ops/gemm/choose.ts, src/ops/conv2d/choose.ts), `tuned: …`, behind what was
 * refused (`…; tuned: …`); those of several nodes stand side by side (`nchw to nhwc: transpose + tuned: …`).
 */
export function keptBy(reasons: string): 'tuned' | 'shipped' | undefined {
  const kept = /(?:^|; | \+ )(tuned|shipped): /.exec(reasons)?.[1]
  return kept === 'tuned' || kept === 'shipped' ? kept : undefined
}

/** Nodes whose op chooses among kernels, by their reasons, one a node; the others, such as activations, count nowhere. */
export function countKernels(reasons: readonly string[]): KernelCounts {
  const counts = { tuned: 0, shipped: 0, rule: 0 }
  for (const reason of reasons) {
    const kept = keptBy(reason)
    if (kept !== undefined) counts[kept]++
    else if (/(?:^|; )by rule\b[^:]*: /.test(reason)) counts.rule++
  }
  return counts
}
