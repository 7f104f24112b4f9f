// One snapshot = header length (uint32), JSON header, raw arrays; see node_core/runs/snapshot.py.

const TYPES = { f4: Float32Array, u1: Uint8Array };

/** {arrays: {name: {data, shape}}, scalars} of a message; the arrays look into the buffer. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const { name, dtype, shape, offset } of header.arrays) {
    const count = shape.reduce((product, n) => product * n, 1);
    arrays[name] = { data: new TYPES[dtype](buffer, 4 + length + offset, count), shape };
  }
  return { arrays, scalars: header.scalars };
}
