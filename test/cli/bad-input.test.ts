/**
 * Bad input: each ends in a named error on one line and exit code 1, before a GPU is opened; what the GPU itself must refuse is in
 * bad-input.gpu.test.ts.
 */
import { afterAll, describe, expect, test } from 'vitest'
import { classifier, npy, png, unknownOps } from './files.ts'
import { folderOf, tilewright } from './harness.ts'

const model = classifier()
const folder = folderOf({
  'model.onnx': model,
  'truncated.onnx': model.subarray(0, model.length / 2),
  'text.onnx': 'This is no model at all.\n',
  'empty.onnx': '',
  'unknown.onnx': unknownOps(),
  'x.npy': npy([1, 3, 8, 8]),
  'wide.npy': npy([1, 3, 8, 9]),
  'flat.npy': npy([192]),
  'integers.npy': npy([1, 3, 8, 8], 'i32'),
  'cut.npy': npy([1, 3, 8, 8]).subarray(0, 300),
  'cut.png': png(16).subarray(0, 60),
  'text.jpg': 'no picture',
  'text.pb': 'no tensor',
  'x.tiff': 'no tensor',
  'labels.txt': 'one\ntwo\n',
  'ok.png': png(16),
  'weights.safetensors': 'no weights',
  'hardware.json': '{"name": "h"}',
  'broken.json': '{',
})
afterAll(folder.remove)

const at = folder.path
const CASES: readonly (readonly [what: string, args: readonly string[], error: string, says: RegExp])[] = [
  ['a truncated ONNX file', ['run', at('truncated.onnx'), '--input', at('x.npy')], 'ModelFormatError', /truncated\.onnx/],
  ['a text file as a model', ['run', at('text.onnx'), '--input', at('x.npy')], 'ModelFormatError', /text/],
  ['an empty file as a model', ['verify', at('empty.onnx')], 'ModelFormatError', /empty/],
  [
    'an unknown op',
    ['run', at('unknown.onnx'), '--input', at('x.npy')],
    'UnsupportedOpError',
    /first \(FancyOp\)[^]*last \(org\.example::Conv\)/,
  ],
  ['an unknown op, verified', ['verify', at('unknown.onnx')], 'UnsupportedOpError', /FancyOp/],
  ['an unknown op, profiled', ['profile', at('unknown.onnx')], 'UnsupportedOpError', /FancyOp/],
  [
    'a wrong input name',
    ['run', at('model.onnx'), '--input', `picture=${at('x.npy')}`],
    'OptionError',
    /no input called picture.*inputs are x/,
  ],
  ['an input without a file', ['run', at('model.onnx'), '--input', 'x='], 'OptionError', /has no file/],
  ['no input', ['run', at('model.onnx')], 'OptionError', /x \(f32 \[1, 3, 8, 8\]\)/],
  ['an input given twice', ['run', at('model.onnx'), '--input', at('x.npy'), '--input', at('x.npy')], 'OptionError', /twice/],
  ['a wrong input shape', ['run', at('model.onnx'), '--input', at('wide.npy')], 'ShapeError', /\[1, 3, 8, 8\].*\[1, 3, 8, 9\]/],
  ['a wrong input rank', ['verify', at('model.onnx'), '--input', `x=${at('flat.npy')}`], 'ShapeError', /\[192\]/],
  ['a wrong input dtype', ['run', at('model.onnx'), '--input', at('integers.npy')], 'DtypeError', /takes f32.*holds i32/],
  ['a truncated tensor', ['run', at('model.onnx'), '--input', at('cut.npy')], 'FileFormatError', /cut\.npy/],
  ['a truncated picture', ['run', at('model.onnx'), '--input', at('cut.png')], 'FileFormatError', /cut\.png/],
  ['a text file as a picture', ['run', at('model.onnx'), '--input', at('text.jpg')], 'FileFormatError', /text\.jpg/],
  ['a text file as a tensor', ['run', at('model.onnx'), '--input', at('text.pb')], 'FileFormatError', /text\.pb/],
  ['a file of no known kind', ['run', at('model.onnx'), '--input', at('x.tiff')], 'FileFormatError', /x\.tiff/],
  [
    'a file that is not there',
    ['run', at('model.onnx'), '--input', at('nothing.npy')],
    'OptionError',
    /nothing\.npy.*no such file/,
  ],
  ['a model that is not there', ['inspect', at('nothing.onnx')], 'OptionError', /nothing\.onnx.*no such file/],
  ['a folder as a model', ['inspect', at('')], 'OptionError', /folder/],
  ['a network that does not exist', ['inspect', 'alexnet3'], 'OptionError', /alexnet3/],
  [
    'labels that are not there',
    ['run', at('model.onnx'), '--input', at('x.npy'), '--labels', at('no.txt')],
    'OptionError',
    /no\.txt/,
  ],
  ['no adapter', ['run', at('model.onnx'), '--input', at('x.npy'), '--adapter', 'no-such-gpu'], 'NoAdapterError', /no-such-gpu/],
  ['no adapter for doctor', ['doctor', '--adapter', 'no-such-gpu'], 'NoAdapterError', /no-such-gpu/],
  ['an unknown dataflow', ['profile', 'alexnet', '--dataflow', 'ws,zigzag'], 'OptionError', /zigzag.*ws, os-a/],
  [
    'an unknown dataflow to map',
    ['map', 'alexnet:conv1', '--hardware', 'eyeriss', '--dataflow', 'zigzag'],
    'OptionError',
    /zigzag/,
  ],
  ['an unknown hardware', ['profile', 'alexnet', '--hardware', 'abacus'], 'OptionError', /abacus.*eyeriss/],
  [
    'a hardware file with a field missing',
    ['profile', 'alexnet', '--hardware', at('hardware.json')],
    'OptionError',
    /hardware\.json.*levels|mac/,
  ],
  ['a JSON file that is none', ['map', at('broken.json'), '--dataflow', 'ws'], 'FileFormatError', /broken\.json/],
  [
    'a layer that does not exist',
    ['map', 'alexnet:conv9', '--hardware', 'eyeriss', '--dataflow', 'ws'],
    'OptionError',
    /conv9.*conv1, conv2/,
  ],
  [
    'an unknown preset',
    ['run', at('model.onnx'), '--input', at('ok.png'), '--preprocess', 'tiff'],
    'OptionError',
    /imagenet, caffe, none/,
  ],
  ['a mean that is no number', ['run', at('model.onnx'), '--input', at('ok.png'), '--mean', '1,x'], 'OptionError', /--mean/],
  ['a batch of 0', ['inspect', 'alexnet', '--batch', '0'], 'OptionError', /--batch/],
  ['a batch that the model does not take', ['inspect', at('model.onnx'), '--batch', '4'], 'OptionError', /batch of 1/],
  [
    'a dimension that the model does not have',
    ['inspect', at('model.onnx'), '--dim', 'N=4'],
    'OptionError',
    /no symbolic dimension N/,
  ],
  ['weights for a model file', ['inspect', at('model.onnx'), '--seed', '4'], 'OptionError', /seed/],
  [
    'weights that are no safetensors',
    ['inspect', 'lenet5', '--weights', at('weights.safetensors')],
    'FileFormatError',
    /weights\.safetensors/,
  ],
  ['an unknown option', ['run', at('model.onnx'), '--fast'], 'OptionError', /unknown option '--fast'/],
  ['a missing argument', ['inspect'], 'OptionError', /missing required argument 'MODEL'/],
  ['an unknown command', ['bake'], 'OptionError', /unknown command 'bake'/],
]

describe('bad input', () => {
  test.each(CASES)('%s', async (_, args, error, says) => {
    const { code, out, err } = await tilewright(args)
    expect(code).toBe(1)
    const line = err.split('\n').find((each) => each.startsWith(`${error}: `))
    expect(line, err).toBeDefined()
    expect(err).toMatch(says)
    // No stack, and no result.
    expect(err).not.toMatch(/\n\s+at /)
    if (args[0] !== 'doctor') expect(out).toBe('')
  })
})
