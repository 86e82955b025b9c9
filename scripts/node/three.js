// The parts of three.js that hoi/present/site/viewer.js uses; scripts/build_viewer.sh makes one classic script of them.
export {
  Box3, BufferAttribute, BufferGeometry, Color, CylinderGeometry, DirectionalLight, Group, HemisphereLight, InstancedMesh,
  LineBasicMaterial, LineSegments, Matrix4, Mesh, MeshStandardMaterial, PerspectiveCamera, Quaternion, Scene, Vector3,
  WebGLRenderer,
} from "three";
