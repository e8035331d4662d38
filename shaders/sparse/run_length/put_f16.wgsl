fn put(index: u32, bits: u32) { store_y(index, bitcast<vec2<f16>>(bits).x); }
