alias number = f32;
