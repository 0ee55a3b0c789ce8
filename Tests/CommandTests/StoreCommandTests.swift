import Files
import JSON
import SystemPackage
import TestSupport
import Testing

/// The command on a store.
struct StoreCommandTests {
  /// A bundle, and a store that is in a folder of its own.
  private struct Place {
    let bundle: FilePath
    let store: FilePath

    func flare(_ arguments: String...) throws -> FinishedProcess {
      try FinishedProcess(
        "flare", arguments, in: store.removingLastComponent(),
        environment: ["FLARE_STORE": store.string])
    }

    func output(_ arguments: String...) throws -> String {
      let process = try FinishedProcess(
        "flare", arguments, in: store.removingLastComponent(),
        environment: ["FLARE_STORE": store.string])
      #expect(process.exitCode == 0, "\(process.errors)")
      return process.output
    }
  }

  private func withPlace(_ body: (Place) throws -> Void) throws {
    try withTemporaryDirectory { folder in
      let place = Place(bundle: folder.appending("model"), store: folder.appending("store"))
      _ = try place.output(
        "convert", BundleTests.base.string, "--quantize", "int4", "-o", place.bundle.string)
      try body(place)
    }
  }

  @Test func `a bundle is added, listed, run, verified, removed and collected`() throws {
    try withPlace { place in
      let added = try place.output("add", "model", "maya:int4")
      #expect(added.hasPrefix("added maya:int4, "))
      let list = try place.output("list").split(separator: "\n").map {
        $0.split(separator: " ").map(String.init)
      }
      #expect(list.contains { $0.starts(with: ["maya:int4", "model", "llama", "int4"]) })
      let tokens = ["--tokens", "1,5,9"]
      _ = try place.output("logits", "maya:int4", tokens[0], tokens[1], "-o", "a.safetensors")
      _ = try place.output("logits", "model", tokens[0], tokens[1], "-o", "b.safetensors")
      let folder = place.store.removingLastComponent()
      #expect(
        try folder.appending("a.safetensors").readBytes()
          == folder.appending("b.safetensors").readBytes())
      #expect(try place.output("verify", "maya:int4").contains("files match their SHA-256"))
      #expect(try place.output("remove", "maya:int4").contains("'flare gc' frees"))
      #expect(try place.output("gc", "--dry-run").hasPrefix("would free "))
      let freed = try JSONValue(parsing: try place.output("gc", "--json"))
      #expect(freed["file_bytes"] == .integer(place.bundle.treeByteCount))
      #expect(try place.output("list").contains("is empty"))
      let again = try place.flare("run", "maya:int4", "-p", "x")
      #expect(again.exitCode == 65 && again.errors.contains("no such file"))
    }
  }

  @Test func `what is made of a model of the store names it as the store does`() throws {
    try withTemporaryDirectory { folder in
      let place = Place(bundle: folder.appending("model"), store: folder.appending("store"))
      let base = BundleTests.base
      _ = try place.output("convert", base.string, "--dtype", "f32", "-o", "whole.flare")
      _ = try place.output("add", "whole.flare", "team/whole:f32")
      let packed = try place.output(
        "pack", base.removingLastComponent().appending("task-lora").string, "--base",
        "team/whole:f32", "-o", "package")
      #expect(packed.contains("for 'whole-f32' ("))
      _ = try place.output(
        "convert", "team/whole:f32", "--adapter", "package", "--quantize", "int4", "-o", "small")
      let manifest = try JSONValue(contentsOf: folder.appending("small").appending("manifest.json"))
      #expect(manifest["recipe"]?["model"]?["name"] == "whole-f32")
      // The options that name inputs take names of the store as well.
      _ = try place.output(
        "reproduce", "small", "--model", "team/whole:f32", "--adapter", "package", "-o", "again")
    }
  }

  @Test func `a store that is a file is not an empty one`() throws {
    try withTemporaryDirectory { folder in
      let place = Place(bundle: folder.appending("model"), store: folder.appending("store"))
      try place.store.overwrite("x")
      let list = try place.flare("list")
      #expect(list.exitCode == 65 && list.errors.contains("store: not a directory"))
    }
  }

  @Test func `adapters are listed with kind and rank, and a delta with its base`() throws {
    try withTemporaryDirectory { folder in
      let place = Place(bundle: folder.appending("model"), store: folder.appending("store"))
      let base = BundleTests.base
      let adapters = base.removingLastComponent()
      let both = folder.appending("two").string
      for (name, adapter) in [("lora", "task-lora"), ("flare", "flare-add")] {
        _ = try place.output(
          "pack", adapters.appending(adapter).string, "--base", base.string, "-o", name)
        _ = try place.output("add", name, "team/\(name)")
      }
      _ = try place.output(
        "combine", adapters.appending("task-lora").string,
        adapters.appending("target-lora").string, "-o", both)
      _ = try place.output("pack", both, "--base", base.string, "-o", "both")
      _ = try place.output("add", "both", "team/both")
      _ = try place.output(
        "merge", base.string, "--adapter", adapters.appending("task-lora").string, "-o", "tuned")
      _ = try place.output("pack", "tuned", "--delta-from", base.string, "-o", "delta")
      _ = try place.output("add", "delta", "team/delta")
      let list = try place.output("list")
      let document = try JSONValue(parsing: try place.output("list", "--json"))
      let types = try #require(document["names"]?.array).map { $0["type"]?.string }
      #expect(types == ["lora r16", "bfloat16 from base", "flare r8", "lora r8"])
      for type in types { #expect(list.contains("  \(type ?? "-")  "), "\(list)") }
    }
  }

  @Test func `a damaged record is bad input, and the error names it and what to do`() throws {
    try withPlace { place in
      _ = try place.output("add", "model", "maya:int4")
      let record = place.store.pushing("names/local/maya/:int4.json")
      let text = try record.readText()
      record.removeItem()
      try record.overwrite(String(text.dropLast(20)))
      let lora = BundleTests.base.removingLastComponent().appending("task-lora").string
      for arguments in [
        ["run", "maya:int4", "-p", "x"], ["inspect", "maya:int4"], ["verify", "maya:int4"],
        ["list"], ["gc"], ["convert", "maya:int4", "-o", "out"],
        ["run", BundleTests.base.string, "-p", "x", "--adapter", "maya:int4=0.5"],
        ["apply", "maya:int4", "--base", lora, "-o", "out"],
      ] {
        let process = try FinishedProcess(
          "flare", arguments, in: place.store.removingLastComponent(),
          environment: ["FLARE_STORE": place.store.string])
        #expect(process.exitCode == 65, "\(arguments): \(process.errors)")
        #expect(process.errors.hasPrefix("flare: \(record): is not JSON: "), "\(process.errors)")
        #expect(
          process.errors.hasSuffix(
            ". 'flare add BUNDLE maya:int4 --overwrite --check' puts it there again; "
              + "'flare remove maya:int4' gives the name up\n"), "\(process.errors)")
      }
      _ = try place.output("add", "model", "maya:int4", "--overwrite", "--check")
      _ = try place.output("verify", "maya:int4")
    }
  }

  @Test func `damage in the store is told with what repairs it, and that does`() throws {
    try withPlace { place in
      _ = try place.output("add", "model", "maya:int4")
      let bundle = try #require(try place.store.appending("bundles").entryNames.first)
      let weights = place.store.appending("bundles").appending(bundle)
        .appending("model.safetensors")
      let bytes = try weights.readBytes()
      // As a program that writes through the link does, or a device.
      try #require(FinishedProcess("/bin/chmod", ["u+w", weights.string]).exitCode == 0)
      try weights.overwrite(bytes.dropLast() + [bytes[bytes.count - 1] ^ 1])
      let repair = ". 'flare add BUNDLE maya:int4 --overwrite --check' puts it there again\n"
      let damaged = try place.flare("verify", "maya:int4")
      #expect(damaged.exitCode == 65)
      #expect(damaged.errors.hasPrefix("flare: \(weights): was changed or damaged in bytes"))
      #expect(damaged.errors.hasSuffix(repair), "\(damaged.errors)")
      try weights.overwrite(bytes.dropLast())
      for command in [["verify", "maya:int4"], ["inspect", "maya:int4"]] {
        let short = try FinishedProcess(
          "flare", command, in: place.store.removingLastComponent(),
          environment: ["FLARE_STORE": place.store.string])
        #expect(short.exitCode == 65 && short.errors.hasSuffix(repair), "\(short.errors)")
      }
      _ = try place.output("add", "model", "maya:int4", "--overwrite", "--check")
      _ = try place.output("verify", "maya:int4")
      // A bundle that is no name is somebody else's to repair.
      let file = place.bundle.appending("config.json")
      try file.overwrite(try file.readBytes() + [0x20])
      #expect(try place.flare("verify", "model").errors.contains("flare add") == false)
    }
  }

  @Test func `a model that is no bundle is verified by the digests of its record`() throws {
    try withTemporaryDirectory { folder in
      let place = Place(bundle: folder.appending("model"), store: folder.appending("store"))
      // What a pull makes of an artifact with the one file '{}', as formats/store.md says.
      let digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
      let files = #"[{"path":"config.json","bytes":2,"sha256":"\#(digest)"}]"#
      let record = place.store.pushing("names/registry.example/m/:1.json")
      let list = "194f104ebe92adabb1e4a4ca05669b641a402ffdeee9905d8b3f591589a4bddd"
      let file = place.store.pushing("bundles").appending(list).appending("config.json")
      for path in [record, file] {
        let folder = path.removingLastComponent().string
        try #require(FinishedProcess("/bin/mkdir", ["-p", folder]).exitCode == 0)
      }
      try record.overwrite(
        #"{"format": "flare-store-name", "version": 1, "name": "registry.example/m:1", "files": "#
          + files + "}")
      try file.overwrite("{}")
      let verified = try place.output("verify", "registry.example/m:1")
      #expect(verified.contains("all 1 files match the digests that they were pulled by"))
      try file.overwrite("[]")
      let damaged = try place.flare("verify", "registry.example/m:1")
      #expect(damaged.exitCode == 65)
      #expect(
        damaged.errors.hasSuffix(". 'flare pull registry.example/m:1 --check' fetches it again\n"))
    }
  }

  @Test func `a path that exists is meant, and a name beside it is mentioned`() throws {
    try withPlace { place in
      _ = try place.output("add", "model", "maya:int4")
      let folder = place.store.removingLastComponent()
      try FilePath(BundleTests.base.string).appending("config.json").copy(
        to: folder.appending("maya:int4"))
      let process = try place.flare("inspect", "maya:int4")
      #expect(process.errors.contains("'maya:int4' is a path here and a name in the store"))
      #expect(process.exitCode == 65, "the file is no model")
    }
  }

  @Test func `a missing model that is spelled like a reference is said to be pulled`() throws {
    try withPlace { place in
      let process = try place.flare("inspect", "registry.example/team/maya:1")
      #expect(process.exitCode == 65)
      #expect(process.errors.contains("'flare pull registry.example/team/maya:1' fetches it"))
    }
  }

  @Test func `a name that a bundle has already is not taken`() throws {
    try withPlace { place in
      _ = try place.output("add", "model", "maya")
      let process = try place.flare("add", "model", "maya")
      #expect(process.exitCode == 73 && process.errors.contains("--overwrite"))
      #expect(try place.flare("add", "model", "../maya").exitCode == 64)
      #expect(try place.flare("remove", "other").exitCode == 65)
    }
  }
}

extension FilePath {
  fileprivate func copy(to destination: FilePath) throws {
    try destination.overwrite(try readBytes())
  }
}
