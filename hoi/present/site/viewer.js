"use strict";
// A clip's page: the frames with masks, tracks and fit over them, and hand and object in 3D, all at one moment of time.
// Data (HOI_CLIP) come from data.js: hoi/present/site/shown.py says what they are. Text goes into the page as text alone.
(() => {
  const THREE = globalThis.HOI_THREE;
  const clip = globalThis.HOI_CLIP;
  const OBJECT = 0x5c8cd1, TRUTH = 0x80b37a, SKIN = 0xedb38c;
  const MASK = { object: "#4f8fe8", hand: "#f0904a" };
  const SCALE = ["#fcffa4", "#f7d340", "#fc9f07", "#f06f20", "#d54a41", "#ae305c", "#84206b", "#59106e", "#2b0b57"];
  // OpenPose's hand: wrist, then thumb to little finger, root to tip
  const BONES = [0, 1, 2, 3, 4].flatMap((f) => [[0, 4 * f + 1], ...[1, 2, 3].map((k) => [4 * f + k, 4 * f + k + 1])]);
  const FIELD = 30; // degrees, of the free view from top to bottom
  const byId = (id) => document.getElementById(id);

  // ---------------------------------------------------------------- data
  const TYPES = { f4: Float32Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };
  function unpack(packed) {
    if (!packed) return null;
    const text = atob(packed.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const numbers = new TYPES[packed.type](bytes.buffer);
    return packed.step === undefined ? numbers : Float32Array.from(numbers, (n) => packed.low + packed.step * n);
  }
  const rows = (array, width, i) => array.subarray(width * i, width * (i + 1));
  const matrix = (array, i) => new THREE.Matrix4().fromArray(rows(array, 16, i)).transpose(); // ours are row by row
  const frameCount = clip.frames.length, [width, height] = clip.size;

  // ---------------------------------------------------------------- one canvas of WebGL, copied to every panel
  const FLIP = new THREE.Matrix4().makeRotationX(Math.PI); // OpenCV's camera (y down, z forward) to WebGL's
  const renderer = makeRenderer();
  function makeRenderer() {
    try {
      const made = new THREE.WebGLRenderer({ alpha: true, antialias: true });
      made.setClearColor(0x000000, 0);
      return made;
    } catch (error) {
      byId("trouble").textContent = `No 3D: this browser has no WebGL (${error.message}). Frames, masks and tracks are below.`;
      byId("trouble").hidden = false;
      return null;
    }
  }
  const free = { turn: 0.5, rise: 0.3, zoom: 1 };
  const shown = { fit: true, masks: true, tracks: false, object: true, hand: true, still: false };
  let layerName = "", frame = 0;

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

  function frustum(K) {
    const z = 0.06, corners = [[0, 0], [width, 0], [width, height], [0, height]];
    const at = corners.map(([u, v]) => [z * (u - K[2]) / K[0], z * (v - K[5]) / K[4], z]);
    const points = at.flatMap((p, i) => [0, 0, 0, ...p, ...p, ...at[(i + 1) % 4]]);
    return lines(new Float32Array(points), 0x8a949d);
  }

  function lensOf(K) { // the clip's own camera: pixel (u, v) = K X / z
    const camera = new THREE.PerspectiveCamera(), near = 0.01, far = 20;
    camera.projectionMatrix.set(
      2 * K[0] / width, -2 * K[1] / width, 1 - 2 * K[2] / width, 0,
      0, 2 * K[4] / height, 2 * K[5] / height - 1, 0,
      0, 0, -(far + near) / (far - near), -2 * far * near / (far - near), 0, 0, -1, 0);
    camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
    return camera;
  }

  // ---------------------------------------------------------------- a column: one fit, or the truth
  class Column {
    constructor(data, element) {
      this.data = data;
      this.cameraCanvas = element.querySelector(".camera");
      this.freeCanvas = element.querySelector(".free");
      this.K = unpack(data.K);
      this.keypoints = unpack(data.keypoints);
      this.found = unpack(data.found);
      this.scene = new THREE.Scene();
      this.world = new THREE.Group();
      this.world.matrixAutoUpdate = false;
      this.light = new THREE.DirectionalLight(0xffffff, 2.4);
      this.scene.add(this.world, this.light, this.light.target, new THREE.HemisphereLight(0xffffff, 0x8d8377, 1.5));
      this.frustum = frustum(rows(this.K, 9, 0));
      this.world.add(this.frustum);
      this.addObject(data.object, data.name === "truth" ? TRUTH : OBJECT);
      this.addHand(data.hand, unpack(data.joints));
      this.measure();
    }

    addObject(data, colour) {
      if (!data) return;
      this.poses = unpack(data.poses);
      this.object = surface(unpack(data.vertices), unpack(data.faces), colour);
      this.plain = colour;
      this.layers = Object.fromEntries(data.layers.map((layer) => [layer.name, layer]));
      this.world.add(this.object);
    }

    addHand(data, joints) {
      if (data) {
        this.handVertices = unpack(data.vertices);
        this.handWidth = 3 * data.vertices.shape[1];
        this.hand = surface(this.handVertices.slice(0, this.handWidth), unpack(data.faces), SKIN);
        this.world.add(this.hand);
      } else if (joints) {
        this.joints = joints;
        this.skeleton = sticks(BONES.length, SKIN);
        this.world.add(this.skeleton);
      }
    }

    measure() { // a ball around hand and object in every frame
      const box = new THREE.Box3(), point = new THREE.Vector3();
      const every = this.handVertices ?? this.joints ?? new Float32Array();
      for (let i = 0; i < every.length; i += 21) box.expandByPoint(point.fromArray(every, i));
      if (this.object) {
        this.object.geometry.computeBoundingBox();
        for (let i = 0; i < frameCount; i++) {
          box.union(this.object.geometry.boundingBox.clone().applyMatrix4(matrix(this.poses, i)));
        }
      }
      if (box.isEmpty()) box.set(new THREE.Vector3(-0.1, -0.1, 0.4), new THREE.Vector3(0.1, 0.1, 0.6));
      this.ball = box.getBoundingSphere(new THREE.Sphere());
    }

    paint() { // the object by the chosen layer, or plain
      if (!this.object) return;
      const layer = this.layers[layerName], { geometry, material } = this.object;
      material.vertexColors = Boolean(layer);
      material.color.set(layer ? 0xffffff : this.plain);
      material.needsUpdate = true;
      if (!layer) return;
      layer.numbers ??= unpack(layer.values);
      const colours = new Float32Array(3 * layer.numbers.length);
      layer.numbers.forEach((value, i) => {
        const share = (value - layer.low) / (layer.high - layer.low);
        RAMP[Math.round(255 * Math.min(Math.max(share, 0), 1))].toArray(colours, 3 * i);
      });
      geometry.setAttribute("color", new THREE.BufferAttribute(colours, 3));
    }

    pose(i) {
      if (this.object) {
        this.object.matrix.copy(matrix(this.poses, i));
        this.object.visible = shown.object;
      }
      if (this.hand) {
        this.hand.geometry.attributes.position.array.set(rows(this.handVertices, this.handWidth, i));
        this.hand.geometry.attributes.position.needsUpdate = true;
        this.hand.geometry.computeVertexNormals();
        this.hand.visible = shown.hand;
      }
      if (this.skeleton) {
        const at = rows(this.joints, 63, i), joint = (k) => new THREE.Vector3().fromArray(at, 3 * k);
        BONES.forEach(([a, b], k) => this.skeleton.setMatrixAt(k, between(joint(a), joint(b))));
        this.skeleton.instanceMatrix.needsUpdate = true;
        this.skeleton.visible = shown.hand;
      }
    }

    render(camera, canvas) {
      if (!renderer) return;
      this.world.matrixWorldNeedsUpdate = true;
      renderer.setSize(canvas.width, canvas.height, false);
      this.light.position.copy(camera.localToWorld(new THREE.Vector3(-0.6, 0.9, 0.8)));
      this.light.target.position.copy(camera.localToWorld(new THREE.Vector3(0, 0, -0.4)));
      renderer.render(this.scene, camera);
      canvas.getContext("2d").drawImage(renderer.domElement, 0, 0);
    }

    drawCamera(i, picture) {
      const canvas = fitted(this.cameraCanvas, height / width), context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      if (picture.complete && picture.naturalWidth) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
      if (shown.fit) {
        this.world.matrix.copy(FLIP);
        this.frustum.visible = false;
        context.globalAlpha = 0.75;
        this.render(lensOf(rows(this.K, 9, i)), canvas);
        context.globalAlpha = 1;
      }
      context.save();
      context.scale(canvas.width / width, canvas.height / height);
      if (shown.masks) this.drawMasks(context, i, width / canvas.width);
      if (shown.tracks && this.keypoints) this.drawTrack(context, i, width / canvas.width);
      context.restore();
    }

    drawMasks(context, i, pixel) {
      for (const [kind, frames] of Object.entries(this.data.masks)) {
        const path = new Path2D();
        for (const line of frames[i] ?? []) {
          for (let k = 0; k < line.length; k += 2) path[k ? "lineTo" : "moveTo"](line[k], line[k + 1]);
          path.closePath();
        }
        context.fillStyle = context.strokeStyle = MASK[kind];
        context.lineWidth = 2 * pixel;
        context.globalAlpha = shown.fit ? 0 : 0.3;
        context.fill(path, "evenodd");
        context.globalAlpha = 1;
        context.stroke(path);
      }
    }

    drawTrack(context, i, pixel) {
      const at = rows(this.keypoints, 42, i), seen = this.found?.[i];
      context.strokeStyle = context.fillStyle = seen ? "#ffffff" : "#ffd84d";
      context.shadowColor = "#000";
      context.shadowBlur = 3;
      context.lineWidth = 2 * pixel;
      context.setLineDash(seen ? [] : [4 * pixel, 4 * pixel]);
      context.beginPath();
      for (const [a, b] of BONES) {
        context.moveTo(at[2 * a], at[2 * a + 1]);
        context.lineTo(at[2 * b], at[2 * b + 1]);
      }
      context.stroke();
      for (let k = 0; k < 21; k++) context.fillRect(at[2 * k] - 2 * pixel, at[2 * k + 1] - 2 * pixel, 4 * pixel, 4 * pixel);
    }

    drawFree(i) {
      const canvas = fitted(this.freeCanvas, 0.8), context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      this.world.matrix.copy(FLIP);
      if (shown.still && this.poses) { // every frame is moved so that the object is where it was in the first
        this.world.matrix.multiply(matrix(this.poses, 0)).multiply(matrix(this.poses, i).invert());
      }
      this.frustum.visible = true;
      const camera = new THREE.PerspectiveCamera(FIELD, 1.25, 0.01, 20), middle = this.ball.center.clone().applyMatrix4(FLIP);
      const away = 0.8 * radius / Math.sin(FIELD / 2 * Math.PI / 180) * free.zoom;
      const flat = Math.cos(free.rise);
      camera.position.set(flat * Math.sin(free.turn), Math.sin(free.rise), flat * Math.cos(free.turn));
      camera.position.multiplyScalar(away).add(middle);
      camera.lookAt(middle);
      camera.updateMatrixWorld();
      this.render(camera, canvas);
    }
  }

  function fitted(canvas, aspect) { // as many pixels as the screen shows
    const dots = Math.min(globalThis.devicePixelRatio || 1, 2), wide = Math.max(1, Math.round(canvas.clientWidth * dots));
    const high = Math.max(1, Math.round(wide * aspect));
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    return canvas;
  }

  const columns = clip.columns.map((data, i) => new Column(data, document.querySelector(`[data-column="${i}"]`)));
  const radii = columns.map((column) => column.ball.radius).sort((a, b) => a - b);
  const radius = radii[Math.floor(radii.length / 2)]; // one scale for all columns, and one bad fit does not set it
  const pictures = clip.frames.map((file) => {
    const picture = new Image();
    picture.addEventListener("load", invalidate);
    picture.src = file;
    return picture;
  });

  // ---------------------------------------------------------------- drawing, only when something changed
  let asked = false;
  function invalidate() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      byId("now").value = `frame ${frame} · ${(frame / clip.fps).toFixed(2)} s`;
      for (const column of columns) {
        column.pose(frame);
        column.drawCamera(frame, pictures[frame]);
        column.drawFree(frame);
      }
      document.documentElement.dataset.drawn = String(frame);
    });
  }

  // ---------------------------------------------------------------- time
  const time = byId("time"), play = byId("play");
  let started = null;
  function go(i) {
    frame = i;
    time.value = String(i);
    time.setAttribute("aria-valuetext", `frame ${i} of ${frameCount}`);
    invalidate();
  }
  function tick(now) {
    if (!started) return;
    const passed = Math.max(0, now - started.now); // a frame's time may lie before the click
    const i = (started.frame + Math.floor(passed / 1000 * clip.fps)) % frameCount;
    if (i !== frame) go(i);
    requestAnimationFrame(tick);
  }
  function setPlaying(on) {
    started = on ? { frame, now: performance.now() } : null;
    play.textContent = on ? "Pause" : "Play";
    play.setAttribute("aria-pressed", String(on));
    if (on) requestAnimationFrame(tick);
  }
  play.addEventListener("click", () => setPlaying(!started));
  time.addEventListener("input", () => {
    setPlaying(false);
    go(Number(time.value));
  });

  // ---------------------------------------------------------------- what is shown
  for (const box of document.querySelectorAll("[data-show]")) {
    shown[box.dataset.show] = box.checked;
    box.addEventListener("change", () => {
      shown[box.dataset.show] = box.checked;
      invalidate();
    });
  }

  function choose(layer) {
    layerName = layer ? layer.name : "";
    byId("legend").hidden = !layer;
    if (layer) {
      byId("legend-low").textContent = `${layer.low} ${layer.unit}`;
      byId("legend-high").textContent = `≥ ${layer.high} ${layer.unit}`;
      byId("legend-scale").style.background = `linear-gradient(90deg, ${SCALE.join(",")})`;
    }
    for (const column of columns) column.paint();
    invalidate();
  }
  const layers = new Map(clip.columns.flatMap((c) => c.object?.layers ?? []).map((layer) => [layer.name, layer]));
  for (const [name, layer] of layers.size ? [["", null], ...layers] : []) {
    const label = document.createElement("label"), dot = document.createElement("input");
    Object.assign(dot, { type: "radio", name: "colour", value: name, checked: !name });
    dot.addEventListener("change", () => choose(layer));
    label.append(dot, name ? layer.title : "plain");
    byId("colours").append(label);
  }

  // ---------------------------------------------------------------- turning, in all columns together
  const KEYS = {
    ArrowLeft: () => (free.turn -= 0.1), ArrowRight: () => (free.turn += 0.1), ArrowUp: () => (free.rise += 0.1),
    ArrowDown: () => (free.rise -= 0.1), "+": () => (free.zoom /= 1.1), "=": () => (free.zoom /= 1.1),
    "-": () => (free.zoom *= 1.1), 0: () => Object.assign(free, { turn: 0.5, rise: 0.3, zoom: 1 }),
  };
  function turned() {
    free.rise = Math.min(Math.max(free.rise, -1.5), 1.5);
    free.zoom = Math.min(Math.max(free.zoom, 0.15), 8);
    invalidate();
  }
  for (const { freeCanvas: canvas } of columns) {
    const fingers = new Map();
    const spread = () => {
      const [a, b] = [...fingers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId), now = { x: event.clientX, y: event.clientY };
      if (!before) return;
      const wide = fingers.size === 2 ? spread() : 0;
      fingers.set(event.pointerId, now);
      if (fingers.size === 2) {
        free.zoom *= wide / Math.max(spread(), 1);
      } else {
        free.turn -= 0.01 * (now.x - before.x);
        free.rise += 0.01 * (now.y - before.y);
      }
      turned();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (e) => fingers.delete(e.pointerId));
    canvas.addEventListener("wheel", (event) => { // a page that scrolls past must not zoom
      if (document.activeElement !== canvas && !event.ctrlKey) return;
      event.preventDefault();
      free.zoom *= Math.exp(0.001 * event.deltaY);
      turned();
    }, { passive: false });
    canvas.addEventListener("dblclick", () => turned(KEYS[0]()));
    canvas.addEventListener("keydown", (event) => {
      if (!KEYS[event.key]) return;
      event.preventDefault();
      turned(KEYS[event.key]());
    });
  }

  // ---------------------------------------------------------------- neighbours
  const names = globalThis.HOI_CLIPS ?? [], here = names.indexOf(clip.clip);
  for (const [step, arrow] of here < 0 ? [] : [[-1, "← "], [1, " →"]]) {
    const name = names[here + step];
    if (name === undefined) continue;
    const link = document.createElement("a");
    link.href = `../${encodeURIComponent(name)}/index.html`;
    link.textContent = step < 0 ? arrow + name : name + arrow;
    byId("neighbours").append(link);
  }

  new ResizeObserver(invalidate).observe(document.body);
  go(0);
})();
