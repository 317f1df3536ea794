package dl4jbridge.fused;

import static org.bytedeco.openblas.global.openblas_nolapack.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_sgemm;

/** Single-precision matrix products on row-major matrices at addresses, with the OpenBLAS that ND4J brings. */
final class Gemm {
    /**
     * On AVX-512, OpenBLAS multiplies matrices of up to so many multiply-adds as they lie, without packing them first:
     * 1.5 times as fast at a batch of 16 to 32. See its sgemm_small_kernel_permit_skylakex.c.
     */
    private static final long UNPACKED = 1_000_000;
    /** From so many rows on, packing the weights pays. */
    private static final int MANY_ROWS = 96;
    private static final int ROWS = 32;

    private static final ThreadLocal<Gemm> LOCAL = ThreadLocal.withInitial(Gemm::new);
    private final Memory.Window a = new Memory.Window();
    private final Memory.Window b = new Memory.Window();
    private final Memory.Window c = new Memory.Window();

    private Gemm() {}

    /** C[m, n] = beta C + A[m, k] B[k, n], every matrix row after row; for few rows, and many calls with the same B. */
    static void fewRows(int m, int n, int k, long a, long b, float beta, long c) {
        if (m >= MANY_ROWS || (long) m * n * k <= UNPACKED) {
            product(false, false, m, n, k, a, k, b, n, beta, c, n);
            return;
        }
        int rows = Math.min(m, ROWS);
        if (UNPACKED / ((long) rows * k) < 64) {
            rows = Math.min(m, ROWS / 2);
        }
        int columns = columnsOfABlock(n, (int) (UNPACKED / ((long) rows * k)));
        if (columns == 0) {
            product(false, false, m, n, k, a, k, b, n, beta, c, n);
            return;
        }
        for (int i = 0; i < m; i += rows) {
            for (int j = 0; j < n; j += columns) {
                product(false, false, Math.min(rows, m - i), Math.min(columns, n - j), k,
                        a + 4L * i * k, k, b + 4L * j, n, beta, c + 4L * ((long) i * n + j), n);
            }
        }
    }

    /** Blocks of equal width, or of whole vectors where equal ones would end in ragged ones; 0 if none is worth it. */
    private static int columnsOfABlock(int n, int most) {
        if (most < 16) {
            return 0;
        }
        int blocks = (n + most - 1) / most;
        int equal = (n + blocks - 1) / blocks;
        return equal % 16 == 0 || most < 64 || n % 64 != 0 ? equal : most / 64 * 64;
    }

    /** C[m, n] = beta C + op(A) op(B), row-major with leading dimensions; op transposes where asked. */
    static void product(boolean transA, boolean transB, int m, int n, int k,
            long a, int lda, long b, int ldb, float beta, long c, int ldc) {
        Gemm g = LOCAL.get();
        cblas_sgemm(CblasRowMajor, transA ? CblasTrans : CblasNoTrans, transB ? CblasTrans : CblasNoTrans,
                m, n, k, 1f, g.a.set(a), lda, g.b.set(b), ldb, beta, g.c.set(c), ldc);
    }
}
