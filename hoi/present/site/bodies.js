"use strict";
// What the viewer builds its scenes of: arrays out of data, and three.js objects out of arrays.
globalThis.HOI_BODIES = (() => {
  const THREE = globalThis.HOI_THREE;
  const SCALE = ["#fcffa4", "#f7d340", "#fc9f07", "#f06f20", "#d54a41", "#ae305c", "#84206b", "#59106e", "#2b0b57"];
  // OpenPose's hand: wrist, then thumb to little finger, root to tip
  const BONES = [0, 1, 2, 3, 4].flatMap((f) => [[0, 4 * f + 1], ...[1, 2, 3].map((k) => [4 * f + k, 4 * f + k + 1])]);

  const TYPES = { f4: Float32Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };
  function unpack(packed) {
    if (!packed) return null;
    const text = atob(packed.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const numbers = new TYPES[packed.type](bytes.buffer);
    return packed.step === undefined ? numbers : Float32Array.from(numbers, (n) => packed.low + packed.step * n);
  }
  function blended({ base, shapes, shares, poses }) { // hoi/present/site/blending.py; all frames' vertices, one after the other
    const rest = unpack(base), ways = unpack(shapes), share = unpack(shares), T = unpack(poses);
    const [frames, count] = shares.shape, width = rest.length, out = new Float32Array(frames * width), at = new Float32Array(width);
    for (let f = 0; f < frames; f++) {
      at.set(rest);
      for (let k = 0; k < count; k++) for (let i = 0; i < width; i++) at[i] += share[f * count + k] * ways[k * width + i];
      for (let i = 0; i < width; i += 3) for (let r = 0; r < 3; r++) {
        const m = 16 * f + 4 * r;
        out[f * width + i + r] = T[m] * at[i] + T[m + 1] * at[i + 1] + T[m + 2] * at[i + 2] + T[m + 3];
      }
    }
    return out;
  }
  const rows = (array, width, i) => array.subarray(width * i, width * (i + 1));
  const matrix = (array, i) => new THREE.Matrix4().fromArray(rows(array, 16, i)).transpose(); // ours are row by row
  const FLIP = new THREE.Matrix4().makeRotationX(Math.PI); // OpenCV's camera (y down, z forward) to WebGL's

  function ramp(share) {
    const at = Math.min(Math.max(share, 0), 1) * (SCALE.length - 1), i = Math.min(Math.floor(at), SCALE.length - 2);
    return new THREE.Color(SCALE[i]).lerp(new THREE.Color(SCALE[i + 1]), at - i);
  }
  const RAMP = Array.from({ length: 256 }, (_, i) => ramp(i / 255));

  function surface(vertices, faces, colour) {
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.BufferAttribute(vertices, 3));
    geometry.setIndex(new THREE.BufferAttribute(faces, 1));
    geometry.computeVertexNormals();
    const mesh = new THREE.Mesh(geometry, new THREE.MeshStandardMaterial({ color: colour, roughness: 0.65 }));
    mesh.frustumCulled = false;
    mesh.matrixAutoUpdate = false;
    return mesh;
  }

  function lines(points, colour) {
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.BufferAttribute(points, 3));
    const drawn = new THREE.LineSegments(geometry, new THREE.LineBasicMaterial({ color: colour }));
    drawn.frustumCulled = false;
    return drawn;
  }

  function sticks(count, colour) {
    const stick = new THREE.CylinderGeometry(0.0025, 0.0025, 1, 8); // metres
    const drawn = new THREE.InstancedMesh(stick, new THREE.MeshStandardMaterial({ color: colour, roughness: 0.65 }), count);
    drawn.frustumCulled = false;
    return drawn;
  }

  function between(a, b) { // a stick along y, from -1/2 to 1/2, laid from a to b
    const way = b.clone().sub(a), length = way.length();
    const turn = new THREE.Quaternion().setFromUnitVectors(new THREE.Vector3(0, 1, 0), way.divideScalar(length || 1));
    return new THREE.Matrix4().compose(a.clone().add(b).multiplyScalar(0.5), turn, new THREE.Vector3(1, length, 1));
  }

  function frustum(K, [width, height]) {
    const z = 0.06, corners = [[0, 0], [width, 0], [width, height], [0, height]];
    const at = corners.map(([u, v]) => [z * (u - K[2]) / K[0], z * (v - K[5]) / K[4], z]);
    const points = at.flatMap((p, i) => [0, 0, 0, ...p, ...p, ...at[(i + 1) % 4]]);
    return lines(new Float32Array(points), 0x8a949d);
  }

  function lensOf(K, [width, height]) { // the clip's own camera: pixel (u, v) = K X / z
    const camera = new THREE.PerspectiveCamera(), near = 0.01, far = 20;
    camera.projectionMatrix.set(
      2 * K[0] / width, -2 * K[1] / width, 1 - 2 * K[2] / width, 0,
      0, 2 * K[4] / height, 2 * K[5] / height - 1, 0,
      0, 0, -(far + near) / (far - near), -2 * far * near / (far - near), 0, 0, -1, 0);
    camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
    return camera;
  }

  return { BONES, FLIP, RAMP, SCALE, between, blended, frustum, lensOf, matrix, rows, sticks, surface, unpack };
})();
