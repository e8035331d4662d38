/**
 * What the survey says of six networks: Sze, Chen, Yang, Emer, "Efficient Processing of Deep Neural Networks: A Tutorial and
 * Survey", Proc. IEEE 105(12), 2017, Table II, as printed there (rounded). `note` says why our own count differs, where it does.
 */
export interface SurveyFigures {
  readonly convLayers: number
  readonly convWeights: string
  readonly convMacs: string
  readonly fcLayers: number
  readonly fcWeights: string
  readonly fcMacs: string
  readonly totalWeights: string
  readonly totalMacs: string
  readonly note: string
}

/** Non-zero weights, and MACs on two non-zero factors, of one picture: Table IV there, as printed. */
export interface SurveyNonzeros {
  readonly convWeights: string
  readonly convMacs: string
  readonly fcWeights: string
  readonly fcMacs: string
  readonly totalWeights: string
  readonly totalMacs: string
}

export const SURVEY_NONZEROS_SOURCE = 'Sze et al. 2017, Table IV'

/**
 * Means over ImageNet's validation pictures, of trained networks and of the same pruned by Yang et al. 2017. That the sparse GoogLeNet has
 * more non-zero MACs in its last layer than the dense one (663k, 635k) is as printed.
 */
export const SURVEY_NONZEROS: Readonly<Record<string, { readonly dense: SurveyNonzeros; readonly sparse: SurveyNonzeros }>> = {
  alexnet: {
    dense: { convWeights: '2.3M', convMacs: '395M', fcWeights: '58.6M', fcMacs: '14.5M', totalWeights: '61M', totalMacs: '410M' },
    sparse: { convWeights: '351k', convMacs: '56.4M', fcWeights: '5.4M', fcMacs: '1.9M', totalWeights: '5.7M', totalMacs: '58.3M' },
  },
  googlenet: {
    dense: { convWeights: '6.0M', convMacs: '806M', fcWeights: '1M', fcMacs: '635k', totalWeights: '7M', totalMacs: '806M' },
    sparse: { convWeights: '1.5M', convMacs: '220M', fcWeights: '870k', fcMacs: '663k', totalWeights: '2.4M', totalMacs: '221M' },
  },
}

export const SURVEY_SOURCE = 'Sze et al. 2017, Table II'

const SAME = 'The same, up to the rounding of the survey.'

export const SURVEY: Readonly<Record<string, SurveyFigures>> = {
  lenet5: {
    convLayers: 2,
    convWeights: '2.6k',
    convMacs: '283k',
    fcLayers: 2,
    fcWeights: '58k',
    fcMacs: '58k',
    totalWeights: '60k',
    totalMacs: '341k',
    note:
      'Convolutions: 357,600 MACs here, where the 28x28 picture is padded to 32x32 and the second layer sees all six maps (240,000 ' +
      "without padding). The survey's total, 341k, is not MACs of such a network but the 340,908 connections that LeCun et al. 1998 count: " +
      'biases and subsampling included, the second layer connected to some maps only (122,304 + 5,880 + 151,600 + 2,000 + 48,120 + 10,164 ' +
      '+ 840); 283k is what is left of it after 58k. Fully connected: the survey counts two layers, 400x120 + 120x84 = 58,080; the output ' +
      'layer, counted here, adds 840.',
  },
  alexnet: {
    convLayers: 5,
    convWeights: '2.3M',
    convMacs: '666M',
    fcLayers: 3,
    fcWeights: '58.6M',
    fcMacs: '58.6M',
    totalWeights: '61M',
    totalMacs: '724M',
    note: SAME,
  },
  overfeat: {
    convLayers: 5,
    convWeights: '16M',
    convMacs: '2.67G',
    fcLayers: 3,
    fcWeights: '130M',
    fcMacs: '130M',
    totalWeights: '146M',
    totalMacs: '2.8G',
    note: SAME,
  },
  vgg16: {
    convLayers: 13,
    convWeights: '14.7M',
    convMacs: '15.3G',
    fcLayers: 3,
    fcWeights: '124M',
    fcMacs: '124M',
    totalWeights: '138M',
    totalMacs: '15.5G',
    note: SAME,
  },
  googlenet: {
    convLayers: 57,
    convWeights: '6.0M',
    convMacs: '1.43G',
    fcLayers: 1,
    fcWeights: '1M',
    fcMacs: '1M',
    totalWeights: '7M',
    totalMacs: '1.43G',
    note:
      'Here pooling rounds up, as in the published model (112, 56, 28, 14, 7 pixels): 1,581,647,872 MACs in convolutions. Where it rounds ' +
      'down (112, 55, 27, 13, 6) they are 1,430,532,352, the 1.43G of the survey.',
  },
  resnet50: {
    convLayers: 53,
    convWeights: '23.5M',
    convMacs: '3.86G',
    fcLayers: 1,
    fcWeights: '2M',
    fcMacs: '2M',
    totalWeights: '25.5M',
    totalMacs: '3.9G',
    note: SAME,
  },
}
