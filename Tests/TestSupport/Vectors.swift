public import SystemPackage

/// The files under `Tests/Vectors`, which other programs wrote.
public enum Vectors {
  /// The path of `name`, such as `safetensors/types.safetensors`.
  public static func path(_ name: String) -> FilePath {
    let tests = FilePath(#filePath).removingLastComponent().removingLastComponent()
    return tests.appending("Vectors").pushing(FilePath(name))
  }
}
