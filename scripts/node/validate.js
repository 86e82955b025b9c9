// Khronos' glTF validator on one file: its report as JSON on standard output.
const fs = require("fs");
const validator = require("gltf-validator");

validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])), { maxIssues: 100 }).then(
  (report) => console.log(JSON.stringify(report)),
);
