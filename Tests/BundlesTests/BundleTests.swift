import Bundles
import Files
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

struct BundleTests {
  @Test func `what is written is opened with its types, files and manifest`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("tiny")
      let written = try SampleBundle.write(to: path)
      let bundle = try Bundle(path)
      #expect(bundle.manifest == written)
      #expect(bundle.manifest.adapters == SampleBundle.description.adapters)
      #expect(bundle.manifest.files.map(\.path) == SampleBundle.filePaths)
      #expect(bundle.tensors.info(named: "model.up_proj.weight")?.elementType == .groupedInt4)
      for info in SampleBundle.weights.tensorInfos {
        let tensor = try bundle.tensors.tensor(named: info.name)
        let original = try SampleBundle.weights.tensor(named: info.name)
        #expect(tensor.shape == info.shape && tensor.elementType == info.elementType)
        #expect(tensor.byteArray == original.byteArray)
      }
      let tokenizer = try #require(bundle.file(named: "tokenizer.json"))
      #expect(try tokenizer.readText() == #"{"model":{}}"#)
      #expect(bundle.file(named: "absent.json") == nil)
      let adapters = bundle.manifest.adapters.map { bundle.directory(of: $0) }
      #expect(adapters == [nil, path.appending("adapters").appending("flare")])
      try bundle.verify()
    }
  }

  @Test func `a manifest hashes files as other programs do`() throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending("abc")
      // FIPS 180-4 gives this digest for these three bytes.
      try file.overwrite("abc")
      #expect(
        try BundleManifest.File(hashing: file, as: "x").sha256
          == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
  }

  @Test func `writing twice gives the same bytes`() throws {
    try withTemporaryDirectory { directory in
      try SampleBundle.write(to: directory.appending("a"))
      try SampleBundle.write(to: directory.appending("b"))
      for name in SampleBundle.filePaths + ["manifest.json"] {
        let first = try directory.appending("a").pushing(FilePath(name)).readBytes()
        let second = try directory.appending("b").pushing(FilePath(name)).readBytes()
        #expect(first == second, "\(name)")
      }
    }
  }

  @Test func `an existing destination is refused and untouched unless it may be replaced`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("tiny")
      try SampleBundle.write(to: path)
      try path.appending("mark").overwrite("here")
      let error = #expect(throws: FileError.self) { try SampleBundle.write(to: path) }
      #expect(
        error?.description
          == "\(path): already exists. Choose another path or pass --overwrite")
      #expect(try path.appending("mark").readText() == "here")
      try SampleBundle.write(to: path, mayReplace: true)
      #expect(!path.appending("mark").exists)
      #expect(try directory.entryNames == ["tiny"])
    }
  }

  @Test func `a bundle that is given up leaves nothing behind`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("tiny")
      #expect(throws: FileError.self) {
        var writer = try BundleWriter(path)
        try writer.addWeights(SampleBundle.weights)
        try writer.addFile("tokenizer.json", copying: directory.appending("absent"))
        try writer.commit(SampleBundle.description)
      }
      let left = try directory.entryNames
      #expect(left == [])
    }
  }

  @Test(arguments: SampleBundle.filePaths)
  func `a flipped byte is found and its file named`(name: String) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("tiny")
      let manifest = try SampleBundle.write(to: path)
      let file = path.pushing(FilePath(name))
      var bytes = try file.readBytes()
      bytes[bytes.count - 1] ^= 1
      try file.overwrite(bytes)
      let error = #expect(throws: BundleError.self) { try Bundle.verify(path) }
      #expect(error?.code == .changedFile)
      let right = manifest.files.first { $0.path == name }?.sha256 ?? ""
      let wrong = try BundleManifest.File(hashing: file, as: name).sha256
      let place = error?.damage.map { " in bytes 0..<\($0.bytes.upperBound)" } ?? ""
      // Of the tree there is no tree; of the weights all are in one piece, the header too.
      let header = name == "model.safetensors" ? ", which hold the header" : ""
      #expect(error?.damage?.bytes == (name == "tree.sha256" ? nil : 0..<bytes.count))
      #expect(
        error?.description
          == "\(file): was changed or damaged\(place)\(header), its SHA-256 is \(wrong), "
          + "the manifest gives \(right)")
    }
  }

  @Test(arguments: SampleBundle.filePaths)
  func `a missing or resized file is found at open`(name: String) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("tiny")
      try SampleBundle.write(to: path)
      let file = path.pushing(FilePath(name))
      let bytes = try file.readBytes()
      try file.overwrite(bytes + [0])
      let resized = #expect(throws: BundleError.self) { try Bundle(path) }
      #expect(
        resized?.description
          == "\(file): is \(bytes.count + 1) bytes long, expected \(bytes.count) from the manifest")
      file.removeItem()
      let missing = #expect(throws: BundleError.self) { try Bundle(path) }
      #expect(missing?.code == .missingFile)
      #expect(missing?.description == "\(path): lacks '\(name)', which the manifest lists")
    }
  }

  @Test func `a file that is not listed is found by verify and no reason not to open`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("tiny")
      try SampleBundle.write(to: path)
      try path.appending("adapters").appending("extra").overwrite("")
      let error = #expect(throws: BundleError.self) { try Bundle.verify(path) }
      #expect(error?.code == .unlistedFile)
      #expect(
        error?.description == "\(path): holds 'adapters/extra', which the manifest does not list")
      #expect(throws: Never.self) { try Bundle(path) }
    }
  }

  @Test func `a table of packed tensors that the weights contradict is refused`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("tiny")
      try SampleBundle.write(to: path)
      let manifest = path.appending("manifest.json")
      let text = try manifest.readText()
      try manifest.overwrite(text.replacing("\"model.up_proj.weight\"", with: "\"model.gone\""))
      let weights = path.appending("model.safetensors")
      let missing = #expect(throws: BundleError.self) { try Bundle(path) }
      #expect(
        missing?.description
          == "\(weights): lacks tensor 'model.gone', which the manifest describes as packed")
      try manifest.overwrite(text.replacing("\"int4\"", with: "\"int8\""))
      let other = #expect(throws: BundleError.self) { try Bundle(path) }
      #expect(
        other?.description
          == "\(weights): tensor 'model.up_proj.weight' is U8 [2, 320], which cannot hold "
          + "int8 [20, 32]")
    }
  }

  @Test func `a folder without a manifest, and no folder, are refused`() throws {
    try withTemporaryDirectory { directory in
      let empty = #expect(throws: BundleError.self) { try Bundle(directory) }
      #expect(
        empty?.description
          == "\(directory): holds no 'manifest.json' and so is no bundle. 'flare convert MODEL -o DIR' makes one"
      )
      let absent = directory.appending("absent")
      let missing = #expect(throws: FileError.self) { try Bundle(absent) }
      #expect(missing?.description == "\(absent): no such file or directory")
      #expect(!Bundle.isBundle(directory) && !Bundle.isBundle(absent))
    }
  }
}
