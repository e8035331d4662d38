// A quad of filters meets a quad of channels, one filter each.

/// Where the picture's quad of channels begins.
alias Source = u32;

fn source_of(at: Place) -> Source { return at.n * params.x_picture + at.line * params.x_quad; }

fn loaded(source: Source, offset: u32, inside: bool) -> vec4<f32> { return load_x(select(0u, (source + offset) / 4u, inside)); }
