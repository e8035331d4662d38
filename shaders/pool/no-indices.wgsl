// Max pooling without its second output.
fn note_index(index: u32, plane: u32, at: vec3<u32>) {}
