// (tile of rows, tile of columns, batch * splits + split) of a workgroup: columns run fastest, so that neighbours read the same rows.
fn tile_of(flat: u32) -> vec3u {
  return vec3u(flat / params.col_tiles % params.row_tiles, flat % params.col_tiles, flat / params.col_tiles / params.row_tiles);
}
