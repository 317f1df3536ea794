package dl4jbridge.fused;

import static org.bytedeco.openblas.global.openblas_nolapack.CblasColMajor;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_sgemm;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_sgemv;

/** Single-precision matrix products on row-major matrices at addresses, by the OpenBLAS that ND4J contains. */
final class Gemm {
    /**
     * Largest product, in multiply-adds, that OpenBLAS's kernels for AVX-512 compute without packing the matrices first.
     * See its sgemm_small_kernel_permit_skylakex.c.
     */
    private static final long UNPACKED = 1_000_000;
    /** True if the environment names those kernels; JavaCPP cannot ask OpenBLAS which ones it uses. */
    static boolean multipliesUnpacked = "SkylakeX".equalsIgnoreCase(System.getenv("OPENBLAS_CORETYPE"));
    /** Number of rows of B of which 64 columns stay in the first-level cache while all rows of A are read. */
    private static final int DEPTH = 112;
    /** Largest number of rows of A and B in a product with A transposed that stay in the cache without packing. */
    private static final int RESIDENT = 512;
    /** Number of samples whose data stay in the second-level cache beside the weights and their gradients. */
    private static final int CHUNK_ROWS = 210;
    /** Columns of a panel of B: few enough for its rows to share pages of memory, enough to be worth a call. */
    private static final int PANEL = 320;
    private static final int VECTORS = 64;
    private static final int VECTOR = 16;
    /** OpenBLAS does not pack a transposed B if C has at most DOTS elements and the rows of A and B at least SHORTEST_DOT. */
    private static final int DOTS = 1200;
    private static final int SHORTEST_DOT = 32;
    /** Rows of C that a kernel computes at a time; the second for a transposed A. */
    private static final int TILE = 4;
    private static final int TRANSPOSED_TILE = 6;
    /** Rows whose pitch is a multiple of this share a few sets of the first-level cache. */
    private static final int CROWDED = 128;

    private static final ThreadLocal<Gemm> LOCAL = ThreadLocal.withInitial(Gemm::new);
    private final Memory.Window a = new Memory.Window();
    private final Memory.Window b = new Memory.Window();
    private final Memory.Window c = new Memory.Window();

    private Gemm() {}

    /** Number of chunks to cut time into, so that the data of one, with {@code rows} rows a step, stay in the cache. */
    static int chunks(int steps, int rows) {
        return Math.min(steps, (steps * rows + CHUNK_ROWS - 1) / CHUNK_ROWS);
    }

    /** Length of the longest chunk, in steps; chunks differ by one step at most. */
    static int longest(int steps, int chunks) {
        return (steps + chunks - 1) / chunks;
    }

    /**
     * Number of columns to allocate for {@code n}. OpenBLAS computes one to eight columns beyond a whole vector of 16 by
     * other code, which takes as long as 25 to 40 columns.
     */
    static int columns(int n) {
        return multipliesUnpacked ? (n + VECTOR - 1) / VECTOR * VECTOR : n;
    }

    /**
     * Number of columns at the end of B that {@link #dots} multiplies faster, as rows. For less than a whole vector,
     * OpenBLAS computes so few sums at a time that eight columns take as long as 32.
     */
    static int tail(int inputs, int columns) {
        int left = columns % VECTOR;
        return multipliesUnpacked && inputs >= SHORTEST_DOT && left <= VECTOR / 2 ? left : 0;
    }

    /** Number of columns of a panel of B. */
    static int panel(int columns) {
        return multipliesUnpacked ? Math.min(columns, PANEL) : columns;
    }

    /** Best row pitch of B for a number of columns. */
    static int pitch(int columns) {
        return multipliesUnpacked && columns % CROWDED == 0 ? columns + VECTOR : columns;
    }

    /**
     * C[m, n] = beta C + A[m, k] B[k, n], row-major with leading dimensions; for few rows, and B a panel.
     *
     * <p>In blocks that OpenBLAS need not pack: 1.2 to 2 times as fast as one call at a batch of 16 to 64.
     */
    static void fewRows(int m, int n, int k, long a, int lda, long b, int ldb, float beta, long c, int ldc) {
        if (!multipliesUnpacked) {
            product(false, false, m, n, k, a, lda, b, ldb, beta, c, ldc);
            return;
        }
        int depth = equalParts(k, DEPTH);
        int columns = panel(n);
        int most = (int) (UNPACKED / ((long) columns * depth)) / TILE * TILE;
        int rows = (equalParts(m, most) + TILE - 1) / TILE * TILE;
        inBlocks(false, rows, columns, depth, m, n, k, a, lda, b, ldb, beta, c, ldc);
    }

    /**
     * C[m, n] = beta C + transposed A[k, m] B[k, n], row-major with leading dimensions. In blocks that OpenBLAS
     * need not pack, if k is so small that A and B stay in the second-level cache.
     */
    static void overRows(int m, int n, int k, long a, int lda, long b, int ldb, float beta, long c, int ldc) {
        if (!multipliesUnpacked || k > RESIDENT) {
            product(true, false, m, n, k, a, lda, b, ldb, beta, c, ldc);
            return;
        }
        int depth = equalParts(k, DEPTH);
        int columns = Math.min(n, 4 * VECTORS);
        int rows = (int) (UNPACKED / ((long) columns * depth)) / TRANSPOSED_TILE * TRANSPOSED_TILE;
        inBlocks(true, rows, columns, depth, m, n, k, a, lda, b, ldb, beta, c, ldc);
    }

    /** C[m, n] = beta C + A[m, k] times transposed B[n, k], row-major with leading dimensions; for a small n. */
    static void dots(int m, int n, int k, long a, int lda, long b, int ldb, float beta, long c, int ldc) {
        long most = Math.max(1, Math.min(DOTS / n, UNPACKED / ((long) n * k)));
        int rows = equalParts(m, (int) most);
        for (int i = 0; i < m; i += rows) {
            product(false, true, Math.min(rows, m - i), n, k,
                    a + 4L * i * lda, lda, b, ldb, beta, c + 4L * i * ldc, ldc);
        }
    }

    /** A product as several products of at most [rows, depth] by [depth, columns]. */
    private static void inBlocks(boolean transA, int rows, int columns, int depth, int m, int n, int k,
            long a, int lda, long b, int ldb, float beta, long c, int ldc) {
        for (int i = 0; i < m; i += rows) {
            for (int j = 0; j < n; j += columns) {
                for (int l = 0; l < k; l += depth) {
                    long first = transA ? (long) l * lda + i : (long) i * lda + l;
                    product(transA, false, Math.min(rows, m - i), Math.min(columns, n - j), Math.min(depth, k - l),
                            a + 4L * first, lda, b + 4L * ((long) l * ldb + j), ldb,
                            l == 0 ? beta : 1f, c + 4L * ((long) i * ldc + j), ldc);
                }
            }
        }
    }

    private static int equalParts(int n, int most) {
        int parts = (n + most - 1) / most;
        return (n + parts - 1) / parts;
    }

    /** c[n] = a[k] B[k, n], row-major; for many calls on the same memory. */
    static void row(int n, int k, Memory.Window a, Memory.Window b, Memory.Window c) {
        cblas_sgemv(CblasColMajor, CblasNoTrans, n, k, 1f, b, n, a, 1, 0f, c, 1);
    }

    /** C[m, n] = beta C + op(A) op(B), row-major with leading dimensions; op transposes if the flag is true. */
    static void product(boolean transA, boolean transB, int m, int n, int k,
            long a, int lda, long b, int ldb, float beta, long c, int ldc) {
        Gemm g = LOCAL.get();
        cblas_sgemm(CblasRowMajor, transA ? CblasTrans : CblasNoTrans, transB ? CblasTrans : CblasNoTrans,
                m, n, k, 1f, g.a.set(a), lda, g.b.set(b), ldb, beta, g.c.set(c), ldc);
    }
}
