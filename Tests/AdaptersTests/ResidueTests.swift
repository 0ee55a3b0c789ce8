import Adapters
import JSON
import Kernels
import SystemPackage
import TestSupport
import Testing

/// Residues as a hostile or a careless hand could write them.
struct ResidueTests {
  func read(_ module: String, _ entry: JSONValue, version: JSONValue = 1) throws -> Adapter {
    try withTemporaryDirectory { directory in
      let files = AdapterFiles()
      let tensors = files.tensors.map { ($0.0.replacing("q_proj", with: "\(module)_proj"), $0.1) }
      try files.with(tensors: tensors).write(into: directory)
      let configuration: JSONValue = [
        "peft_type": "FLARE_RESIDUE", "version": version, "name": "../../escape",
        "modules": .object(["model.layers.0.self_attn.\(module)_proj": entry]),
      ]
      try directory.appending("adapter_config.json").overwrite(configuration.serialized())
      return try Adapter(directory, with: Kernels(threadCount: 1))
    }
  }

  @Test func `a sound residue is read`() throws {
    let adapter = try read("q", ["scaling": 2, "fusion": "add", "in_weights": true])
    #expect(adapter.isResidue)
    #expect(adapter.updates[0].term(in: .target) == .sourceHalf)
  }

  @Test(
    arguments: [
      ("k", ["scaling": 2, "fusion": "add", "in_weights": true], "only q_proj and v_proj"),
      ("q", ["scaling": 2, "fusion": "add_relu", "in_weights": true], "cannot be in the weights"),
      ("q", ["scaling": 2, "fusion": "max", "in_weights": false], "\"max\", which is unknown"),
      ("q", ["scaling": 1e300, "fusion": nil, "in_weights": true], "'scaling' is inf"),
      ("q", ["scaling": 0, "fusion": nil, "in_weights": true], "'scaling' is 0.0"),
      ("q", ["scaling": 2, "fusion": nil], "'in_weights' is missing"),
    ] as [(String, JSONValue, String)])
  func `a residue that contradicts itself is refused`(
    module: String, entry: JSONValue, message: String
  ) {
    let error = #expect(throws: AdapterError.self) { try read(module, entry) }
    #expect(error?.detail.contains(message) == true, "\(error?.description ?? "no error")")
  }

  @Test func `a residue of another version is refused`() {
    let entry: JSONValue = ["scaling": 2, "fusion": nil, "in_weights": true]
    #expect(throws: AdapterError.self) { try read("q", entry, version: 3) }
  }
}
