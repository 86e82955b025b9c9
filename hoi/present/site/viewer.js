"use strict";
// A clip's page: the frames with masks, tracks and fit over them, and hand and object in 3D, all at one moment of time.
// Data (HOI_CLIP) come from data.js: hoi/present/site/shown.py says what they are. Text goes into the page as text alone.
(() => {
  const THREE = globalThis.HOI_THREE;
  const { BONES, FLIP, RAMP, SCALE, between, blended, frustum, lensOf, matrix, rows, sticks, surface, unpack } = globalThis.HOI_BODIES;
  const clip = globalThis.HOI_CLIP;
  const OBJECT = 0x5c8cd1, TRUTH = 0x80b37a, SKIN = 0xedb38c;
  const MASK = { object: "#4f8fe8", hand: "#f0904a" };
  const FIELD = 30; // degrees, of the free view from top to bottom
  const byId = (id) => document.getElementById(id);

  const frameCount = clip.frames.length, [width, height] = clip.size;

  // ---------------------------------------------------------------- one canvas of WebGL, copied to every panel
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
      this.frustum = frustum(rows(this.K, 9, 0), clip.size);
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
        this.handVertices = blended(data);
        this.handWidth = 3 * data.base.shape[0];
        this.hand = surface(this.handVertices.slice(0, this.handWidth), unpack(data.faces), SKIN);
        this.world.add(this.hand);
      } else if (joints) {
        this.joints = joints;
        this.skeleton = sticks(BONES.length, SKIN);
        this.world.add(this.skeleton);
      }
    }

    measure() { // where the 3D view looks in every frame, and how far hand and object reach from there
      const points = this.handVertices ?? this.joints, width = this.handVertices ? this.handWidth : 63;
      const bodies = Array.from({ length: frameCount }, (_, i) => {
        const box = new THREE.Box3(), point = new THREE.Vector3();
        for (let k = points ? width * i : Infinity; k < width * (i + 1); k += 21) box.expandByPoint(point.fromArray(points, k));
        if (this.object) {
          this.object.geometry.computeBoundingBox();
          box.union(this.object.geometry.boundingBox.clone().applyMatrix4(matrix(this.poses, i)));
        }
        return box.isEmpty() ? new THREE.Box3(new THREE.Vector3(-0.1, -0.1, 0.4), new THREE.Vector3(0.1, 0.1, 0.6)) : box;
      });
      const half = Math.round(clip.fps / 2); // follows slowly, so that what jitters is seen to jitter
      this.middles = bodies.map((_, i) => {
        const near = bodies.slice(Math.max(0, i - half), i + half + 1), sum = new THREE.Vector3();
        for (const box of near) sum.add(box.getCenter(new THREE.Vector3()));
        return sum.divideScalar(near.length);
      });
      this.radius = Math.max(...bodies.map((box) => box.getSize(new THREE.Vector3()).length() / 2));
    }

    paint() { // the object by the chosen layer, or plain
      if (!this.object) return;
      const layer = this.layers[layerName], { geometry, material } = this.object;
      material.vertexColors = Boolean(layer);
      material.color.set(layer ? 0xffffff : this.plain);
      material.needsUpdate = true;
      if (!layer) return;
      layer.colours ??= layer.rgb ? ownColours(unpack(layer.rgb)) : rampColours(layer, unpack(layer.values));
      geometry.setAttribute("color", new THREE.BufferAttribute(layer.colours, 3));
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
        this.render(lensOf(rows(this.K, 9, i), clip.size), canvas);
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
      const at = shown.still && this.poses ? 0 : i;
      if (at !== i) { // this frame is moved so that the object is where it was in the first
        this.world.matrix.multiply(matrix(this.poses, 0)).multiply(matrix(this.poses, i).invert());
      }
      this.frustum.visible = true;
      const camera = new THREE.PerspectiveCamera(FIELD, 1.25, 0.01, 20), middle = this.middles[at].clone().applyMatrix4(FLIP);
      const away = 0.7 * radius / Math.sin(FIELD / 2 * Math.PI / 180) * free.zoom;
      const flat = Math.cos(free.rise);
      camera.position.set(flat * Math.sin(free.turn), Math.sin(free.rise), flat * Math.cos(free.turn));
      camera.position.multiplyScalar(away).add(middle);
      camera.lookAt(middle);
      camera.updateMatrixWorld();
      this.render(camera, canvas);
    }
  }

  function ownColours(bytes) {
    const colours = new Float32Array(bytes.length), colour = new THREE.Color();
    for (let i = 0; i < bytes.length; i += 3) {
      colour.setRGB(bytes[i] / 255, bytes[i + 1] / 255, bytes[i + 2] / 255, "srgb").toArray(colours, i);
    }
    return colours;
  }

  function rampColours(layer, values) {
    const colours = new Float32Array(3 * values.length);
    values.forEach((value, i) => {
      const share = (value - layer.low) / (layer.high - layer.low);
      RAMP[Math.round(255 * Math.min(Math.max(share, 0), 1))].toArray(colours, 3 * i);
    });
    return colours;
  }

  function fitted(canvas, aspect) { // as many pixels as the screen shows
    const dots = Math.min(globalThis.devicePixelRatio || 1, 2), wide = Math.max(1, Math.round(canvas.clientWidth * dots));
    const high = Math.max(1, Math.round(wide * aspect));
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    return canvas;
  }

  const columns = clip.columns.map((data, i) => new Column(data, document.querySelector(`[data-column="${i}"]`)));
  const radii = columns.map((column) => column.radius).sort((a, b) => a - b);
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
    time.setAttribute("aria-valuetext", `frame ${i}, the last is ${frameCount - 1}`);
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
    byId("legend").hidden = !layer?.ends;
    if (layer?.ends) {
      [byId("legend-low").textContent, byId("legend-high").textContent] = layer.ends;
      byId("legend-scale").style.background = `linear-gradient(90deg, ${SCALE.join(",")})`;
    }
    for (const column of columns) column.paint();
    invalidate();
  }
  const layers = new Map(clip.columns.flatMap((c) => c.object?.layers ?? []).map((layer) => [layer.name, layer]));
  const dots = new Map();
  for (const [name, layer] of layers.size ? [["", null], ...layers] : []) {
    const label = document.createElement("label"), dot = document.createElement("input");
    Object.assign(dot, { type: "radio", name: "colour", value: name, checked: !name });
    dot.addEventListener("change", () => choose(layer));
    dots.set(name, dot);
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

  // ---------------------------------------------------------------- #frame=14&colour=error: a link to a moment
  function follow() {
    const wanted = new URLSearchParams(location.hash.slice(1)), i = Number(wanted.get("frame") ?? frame);
    if (layers.has(wanted.get("colour"))) dots.get(wanted.get("colour")).click();
    go(Number.isInteger(i) && i >= 0 && i < frameCount ? i : 0);
  }
  globalThis.addEventListener("hashchange", follow);

  new ResizeObserver(invalidate).observe(document.body);
  follow();
})();
