package dl4jbridge.fused;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.nio.FloatBuffer;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Against three loops in double precision. All numbers are small and whole, so that no order of summation rounds and
 * every product must be exact. The algorithm of a product depends on the three sizes alone.
 */
class GemmTest {
    private static final int[] SIZES = {1, 2, 7, 15, 16, 17, 64, 96, 100, 130, 200, 513};
    /** The larger shapes that a recurrence or an output layer really has, and others that are cut in every direction. */
    private static final int[][] LARGE = {
        {32, 200, 200}, {33, 513, 200}, {96, 513, 513}, {130, 513, 400}, {200, 200, 400}, {17, 1300, 513}, {7, 2000, 112},
        {4, 1300, 513}, {33, 1300, 200}, {1, 10000, 112}, {9, 2500, 150}};
    private static final long MOST = 1_500_000;
    private static final int GUARD = 5;
    private static final float MARK = 12345;

    /** A matrix at an odd place, with marks around and between its rows. */
    private static final class Matrix {
        final int rows;
        final int columns;
        final int stride;
        final Memory memory;

        Matrix(int rows, int columns, int gap) {
            this.rows = rows;
            this.columns = columns;
            stride = columns + gap;
            memory = Memory.allocate(2 * GUARD + (long) rows * stride);
            FloatBuffer view = memory.view();
            for (int i = 0; i < memory.length(); i++) {
                view.put(i, MARK);
            }
        }

        long address() {
            return memory.at(GUARD, (long) rows * stride);
        }

        Matrix fill(Random random) {
            return fill(() -> random.nextInt(17) - 8f);
        }

        Matrix fill(Supplier<Float> value) {
            FloatBuffer view = memory.view();
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < columns; j++) {
                    view.put(GUARD + i * stride + j, value.get());
                }
            }
            return this;
        }

        double[][] values() {
            double[][] all = new double[rows][columns];
            FloatBuffer view = memory.view();
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < columns; j++) {
                    all[i][j] = view.get(GUARD + i * stride + j);
                }
            }
            return all;
        }

        Matrix transposed(int gap) {
            double[][] from = values();
            int[] next = {0};
            return new Matrix(columns, rows, gap).fill(() -> (float) from[next[0] % rows][next[0]++ / rows]);
        }

        /** Everything but the matrix itself is as it was. */
        void assertMarks(String what) {
            FloatBuffer view = memory.view();
            for (int i = 0; i < memory.length(); i++) {
                int at = i - GUARD;
                if ((at < 0 || at >= rows * stride || at % stride >= columns) && view.get(i) != MARK) {
                    fail(what + ": written at " + at);
                }
            }
        }
    }

    private static double[][] product(double[][] a, double[][] b) {
        double[][] c = new double[a.length][b[0].length];
        for (int i = 0; i < a.length; i++) {
            for (int l = 0; l < b.length; l++) {
                double v = a[i][l];
                double[] row = b[l];
                for (int j = 0; j < row.length; j++) {
                    c[i][j] += v * row[j];
                }
            }
        }
        return c;
    }

    private static void assertProduct(double[][] expected, float plus, Matrix c, String what) {
        double[][] actual = c.values();
        for (int i = 0; i < expected.length; i++) {
            for (int j = 0; j < expected[i].length; j++) {
                if (actual[i][j] != expected[i][j] + plus) {
                    fail(what + ": " + actual[i][j] + " at " + i + ", " + j + ", not " + (expected[i][j] + plus));
                }
            }
        }
        c.assertMarks(what);
    }

    private interface IntoC {
        void multiply(float beta);
    }

    /** With a beta of 0, C is overwritten, even where it is NaN; with 1, the product is added to it. */
    private static void assertOverwritesAndAdds(double[][] expected, Matrix c, String what, IntoC product) {
        c.fill(() -> Float.NaN);
        product.multiply(0f);
        assertProduct(expected, 0, c, what + " over NaN");
        c.fill(() -> 3f);
        product.multiply(1f);
        assertProduct(expected, 3, c, what + " added");
    }

    private interface Shape {
        void test(int m, int n, int k);
    }

    private static void forEachShape(Shape shape) {
        for (int m : SIZES) {
            for (int n : SIZES) {
                for (int k : SIZES) {
                    if ((long) m * n * k <= MOST) {
                        shape.test(m, n, k);
                    }
                }
            }
        }
        for (int[] s : LARGE) {
            shape.test(s[0], s[1], s[2]);
        }
        Random random = new Random(3);
        for (int i = 0; i < 60; i++) {
            int m = 1 + random.nextInt(150);
            int n = 1 + random.nextInt(600);
            shape.test(m, n, 1 + random.nextInt((int) Math.min(600, MOST / (m * n))));
        }
    }

    private static void fewRows(Matrix a, Matrix b, float beta, Matrix c) {
        Gemm.fewRows(a.rows, b.columns, a.columns, a.address(), a.stride, b.address(), b.stride, beta,
                c.address(), c.stride);
    }

    private static final boolean MULTIPLIES_UNPACKED = Gemm.multipliesUnpacked;

    @AfterEach
    void reset() {
        Gemm.multipliesUnpacked = MULTIPLIES_UNPACKED;
    }

    @ParameterizedTest
    @CsvSource({"0, true", "3, true", "3, false"})
    void fewRowsIsTheProduct(int gap, boolean unpacked) {
        Gemm.multipliesUnpacked = unpacked;
        Random random = new Random(1);
        forEachShape((m, n, k) -> {
            String what = m + " x " + n + " x " + k;
            Matrix a = new Matrix(m, k, gap).fill(random);
            Matrix b = new Matrix(k, n, gap).fill(random);
            Matrix c = new Matrix(m, n, gap);
            assertOverwritesAndAdds(product(a.values(), b.values()), c, what, beta -> fewRows(a, b, beta, c));
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3})
    void dotsAreTheProductWithTheSecondTransposed(int gap) {
        Random random = new Random(6);
        forEachShape((m, k, n) -> {
            int few = 1 + n % 8;
            String what = m + " x " + few + " x " + k;
            Matrix a = new Matrix(m, k, gap).fill(random);
            Matrix b = new Matrix(k, few, 0).fill(random);
            Matrix c = new Matrix(m, few, gap);
            Matrix turned = b.transposed(gap);
            assertOverwritesAndAdds(product(a.values(), b.values()), c, what, beta -> Gemm.dots(m, few, k,
                    a.address(), a.stride, turned.address(), turned.stride, beta, c.address(), c.stride));
        });
    }

    @ParameterizedTest
    @CsvSource({"0, true", "3, true", "3, false"})
    void overRowsIsTheProductWithTheFirstTransposed(int gap, boolean unpacked) {
        Gemm.multipliesUnpacked = unpacked;
        Random random = new Random(4);
        forEachShape((m, n, k) -> {
            String what = m + " x " + n + " x " + k;
            Matrix a = new Matrix(m, k, 0).fill(random);
            Matrix b = new Matrix(k, n, gap).fill(random);
            Matrix c = new Matrix(m, n, gap);
            Matrix turned = a.transposed(gap);
            assertOverwritesAndAdds(product(a.values(), b.values()), c, what, beta -> Gemm.overRows(m, n, k,
                    turned.address(), turned.stride, b.address(), b.stride, beta, c.address(), c.stride));
            turned.assertMarks(what);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3})
    void productTransposesWhereAsked(int gap) {
        Random random = new Random(2);
        forEachShape((m, n, k) -> {
            Matrix a = new Matrix(m, k, gap).fill(random);
            Matrix b = new Matrix(k, n, gap).fill(random);
            Matrix c = new Matrix(m, n, gap);
            double[][] expected = product(a.values(), b.values());
            for (int kind = 0; kind < 4; kind++) {
                boolean transA = kind % 2 == 1;
                boolean transB = kind / 2 == 1;
                Matrix x = transA ? a.transposed(gap) : a;
                Matrix y = transB ? b.transposed(gap) : b;
                float beta = (m + n + k + kind) % 2;
                c.fill(() -> beta == 0 ? Float.NaN : 3f);
                Gemm.product(transA, transB, m, n, k, x.address(), x.stride, y.address(), y.stride, beta,
                        c.address(), c.stride);
                assertProduct(expected, 3 * beta, c, m + " x " + n + " x " + k + ", kind " + kind);
            }
        });
    }

    @Test
    void twoThreadsMultiplyAtOnce() throws InterruptedException {
        boolean[] done = new boolean[2];
        Thread[] threads = new Thread[2];
        for (int p = 0; p < 2; p++) {
            int seed = p;
            threads[p] = new Thread(() -> {
                Random random = new Random(seed);
                Matrix a = new Matrix(20 + seed, 50, 0).fill(random);
                Matrix b = new Matrix(50, 70, 0).fill(random);
                Matrix c = new Matrix(20 + seed, 70, 0);
                double[][] expected = product(a.values(), b.values());
                for (int i = 0; i < 200; i++) {
                    fewRows(a, b, 0f, c);
                    assertProduct(expected, 0, c, "thread " + seed);
                }
                done[seed] = true;
            });
            threads[p].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertTrue(done[0] && done[1]);
    }
}
