alias number = f16;
