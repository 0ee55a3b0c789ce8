import Files
import JSON
import SystemPackage
import TestSupport
import Testing

@testable import Bundles

/// Keys and the signatures they make.
struct SignatureTests {
  /// The bundle as a directory and as one file, both for the time of `body`.
  private func withBundles(_ body: (FilePath, FilePath) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let (path, archive) = (directory.appending("b"), directory.appending("b.flare"))
      try LargerBundle.write(to: path)
      try Bundle.pack(path, to: archive)
      try body(path, archive)
    }
  }

  @Test func `a bundle is signed in both forms, with the same bytes however often`() throws {
    try withBundles { path, archive in
      let key = SigningKey()
      let unsigned = try archive.readBytes()
      for bundle in [path, archive] {
        #expect(try Bundle.verify(bundle).signers == [])
        #expect(try Bundle.sign(bundle, with: key) == [key.verifyingKey])
        let file = bundle == path ? path.appending("signature.json") : archive
        let once = try file.readBytes()
        #expect(try Bundle.sign(bundle, with: key) == [key.verifyingKey])
        #expect(try file.readBytes() == once)
        #expect(
          try Bundle.verify(bundle, requiring: [key.verifyingKey]).signers == [key.verifyingKey])
        #expect(try Bundle(bundle, requiring: [key.verifyingKey]).manifest.license == "Apache-2.0")
      }
      // Packing what is signed gives what signing the packed gives.
      let again = archive.removingLastComponent().appending("again.flare")
      try Bundle.pack(path, to: again)
      #expect(try again.readBytes() == archive.readBytes())
      #expect(try unsigned != archive.readBytes())
      // Unpacking brings the signature along, and one file of many is still found.
      let back = archive.removingLastComponent().appending("back")
      try Bundle.unpack(archive, to: back, requiring: [key.verifyingKey])
      #expect(
        try back.appending("signature.json").readBytes()
          == path.appending("signature.json").readBytes())
      let config = try ArchivedFiles(archive).bytes(of: "config.json", in: 0..<3)
      #expect(config == Array("{\"m".utf8))
    }
  }

  @Test func `several keys sign, and one of those required is enough`() throws {
    try withBundles { path, archive in
      let keys = [SigningKey(), SigningKey()]
      let stranger = SigningKey().verifyingKey
      for bundle in [path, archive] {
        for key in keys { try Bundle.sign(bundle, with: key) }
        #expect(try Bundle.verify(bundle).signers == keys.map(\.verifyingKey))
        for key in keys {
          #expect(throws: Never.self) {
            try Bundle.verify(bundle, requiring: [stranger, key.verifyingKey])
          }
        }
        let error = #expect(throws: BundleError.self) { try Bundle(bundle, requiring: [stranger]) }
        #expect(error?.code == .wrongSigner)
        #expect(
          error?.description
            == "\(bundle): is signed by \(keys[0].verifyingKey), \(keys[1].verifyingKey), "
            + "expected a signature of \(stranger)")
      }
    }
  }

  @Test func `what is not signed is refused before a byte is written`() throws {
    try withBundles { path, archive in
      let key = SigningKey().verifyingKey
      let target = archive.removingLastComponent().appending("out")
      for work in [
        { _ = try Bundle(path, requiring: [key]) }, { _ = try Bundle(archive, requiring: [key]) },
        { try Bundle.unpack(archive, to: target, requiring: [key]) },
        { _ = try ArchivedFiles(archive, requiring: [key]) },
      ] as [() throws -> Void] {
        let error = #expect(throws: BundleError.self) { try work() }
        #expect(error?.code == .unsigned)
        #expect(
          error?.description.hasSuffix(": is not signed, expected a signature of \(key)") == true)
      }
      #expect(!target.exists)
    }
  }

  @Test func `a damaged bundle is not signed`() throws {
    try withBundles { path, _ in
      try path.appending("LICENSE").flipByte(at: 0)
      #expect(throws: BundleError.self) { try Bundle.sign(path, with: SigningKey()) }
      #expect(!path.appending("signature.json").exists)
    }
  }

  @Test func `keys come back from their files, and only their owner reads the private one`() throws
  {
    try withTemporaryDirectory { directory in
      let key = SigningKey()
      let (secret, open) = (directory.appending("k.key"), directory.appending("k.pub"))
      try key.write(to: secret)
      try open.overwrite(key.verifyingKey.pem)
      #expect(try secret.readText().hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
      #expect(try secret.stat().permissions == [.ownerReadWrite])
      #expect(try SigningKey(contentsOf: secret).verifyingKey == key.verifyingKey)
      #expect(try VerifyingKey(contentsOf: open) == key.verifyingKey)
      #expect(throws: FileError.self) { try key.write(to: secret) }
      for (work, problem) in [
        ({ _ = try VerifyingKey(contentsOf: secret) }, "holds a private key"),
        ({ _ = try SigningKey(contentsOf: open) }, "holds a public key"),
      ] as [(() throws -> Void, String)] {
        let error = #expect(throws: BundleError.self) { try work() }
        #expect(error?.code == .malformedKey && error?.detail.hasPrefix(problem) == true)
      }
    }
  }

  /// RFC 8410, section 10: the key and its public half, which other programs made.
  @Test func `the keys of RFC 8410 are read`() throws {
    try withTemporaryDirectory { directory in
      let (secret, open) = (directory.appending("k.key"), directory.appending("k.pub"))
      try secret.overwrite(
        """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        -----END PRIVATE KEY-----
        """)
      try open.overwrite(
        """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PUBLIC KEY-----
        """)
      #expect(try SigningKey(contentsOf: secret).verifyingKey == VerifyingKey(contentsOf: open))
    }
  }

  @Test(arguments: [
    ("{", "byte 1"), ("{}", "'format' is missing"),
    (#"{"format": "x", "version": 1}"#, "'format' is 'x', expected 'flare-signature'"),
    (#"{"format": "flare-signature", "version": 2}"#, "'version' is 2, this program reads 1"),
    (
      #"{"format": "flare-signature", "version": 1, "signatures": [{"algorithm": "ed25519", "public_key": "AA=="}]}"#,
      "'public_key' is 'AA==', expected 32 bytes in base64"
    ),
    (
      #"{"format": "flare-signature", "version": 1, "signatures": 3}"#, "expected a list of objects"
    ),
  ])
  func `signatures in another form are refused`(text: String, problem: String) throws {
    let error = #expect(throws: BundleError.self) {
      try BundleSignatures(parsing: Array(text.utf8).span, path: "signature.json")
    }
    #expect(error?.code == .malformedSignature)
    #expect(error?.detail.contains(problem) == true, "\(error?.detail ?? "")")
  }

  @Test func `a signature of an algorithm to come is kept and vouches for nothing`() throws {
    let text =
      #"{"format":"flare-signature","version":1,"signatures":[{"algorithm":"x","signature":"y"}]}"#
    var signatures = try BundleSignatures(parsing: Array(text.utf8).span, path: "s")
    #expect(signatures.signers == [])
    try signatures.add(SigningKey(), over: [1])
    let again = try BundleSignatures(parsing: Array(signatures.text.utf8).span, path: "s")
    #expect(again.text == signatures.text && again.text.contains(#""algorithm": "x""#))
    #expect(throws: Never.self) { try again.check(over: [1], at: "s") }
    #expect(throws: BundleError.self) { try again.check(over: [2], at: "s") }
  }
}
