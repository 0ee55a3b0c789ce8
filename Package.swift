// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "flare",
  platforms: [.macOS(.v26)],
  products: [],
  dependencies: [
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    // Layer 1: bytes and shapes.
    .target(
      name: "Files",
      dependencies: [.product(name: "SystemPackage", package: "swift-system")]),
    .target(
      name: "JSON",
      dependencies: [.product(name: "OrderedCollections", package: "swift-collections")]),
    .target(name: "Tensors", dependencies: ["Files"]),
    .target(name: "CKernels"),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),

    // Layer 2: what can be done with them.
    .target(name: "Kernels", dependencies: ["CKernels", "COpenBLAS", "Tensors"]),
    .target(name: "WeightFiles", dependencies: ["Files", "JSON", "Tensors"]),
    .target(name: "Quantization", dependencies: ["Kernels", "Tensors"]),
    .target(name: "Tokenizers", dependencies: ["Files", "JSON"]),

    // Tests.
    .target(name: "TestSupport", dependencies: ["Files", "JSON", "Tensors"], path: "Tests/TestSupport"),
    .testTarget(
      name: "JSONTests",
      dependencies: ["JSON", .product(name: "OrderedCollections", package: "swift-collections")]),
  ]
)

// One set of compiler settings for every Swift target.
for target in package.targets where target.type != .system && target.name != "CKernels" {
  target.swiftSettings = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
    // Lets a property return a span. Not yet an accepted proposal, but swift-nio, swift-system
    // and swift-collections ship with it on the language group's promise of two releases' notice.
    .enableExperimentalFeature("Lifetimes"),
  ]
}
