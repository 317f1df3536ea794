package dl4jbridge.fused;

/**
 * Products of vectors with weights, z += x W, for one sample or for a block of samples.
 *
 * <p>Every sum adds its terms one by one in the order of the inputs, in all methods. So a sample's result has the same
 * bits alone and in a block of any size.
 *
 * <p>The loops run over whole arrays from index 0, and each row of weights is an array of its own: HotSpot vectorises no
 * loop over rows within one array, and none with more than about seven arrays.
 */
final class SampleProduct {
    /** Number of samples that go through the weights together. */
    static final int ROWS = 3;

    private SampleProduct() {}

    /** z += x W. */
    static void add(float[] x, float[][] w, float[] z) {
        int i = 0;
        // Eight are two passes of four, not one of six and two of one.
        for (; i + 5 < w.length && i + 8 != w.length; i += 6) {
            add(x[i], w[i], x[i + 1], w[i + 1], x[i + 2], w[i + 2],
                    x[i + 3], w[i + 3], x[i + 4], w[i + 4], x[i + 5], w[i + 5], z);
        }
        for (; i + 3 < w.length; i += 4) {
            add(x[i], w[i], x[i + 1], w[i + 1], x[i + 2], w[i + 2], x[i + 3], w[i + 3], z);
        }
        for (; i < w.length; i++) {
            add(x[i], w[i], z);
        }
    }

    /** The same for some samples of a block; {@link #ROWS} at a time read the weights as much less often. */
    static void add(float[][] x, float[][] w, float[][] z, int from, int to) {
        int t = from;
        for (; t + 2 < to; t += ROWS) {
            float[] a = x[t];
            float[] b = x[t + 1];
            float[] c = x[t + 2];
            int i = 0;
            for (; i + 1 < w.length; i += 2) {
                add(a[i], a[i + 1], z[t], b[i], b[i + 1], z[t + 1], c[i], c[i + 1], z[t + 2], w[i], w[i + 1]);
            }
            for (; i < w.length; i++) {
                add(a[i], w[i], z[t]);
                add(b[i], w[i], z[t + 1]);
                add(c[i], w[i], z[t + 2]);
            }
        }
        for (; t < to; t++) {
            add(x[t], w, z[t]);
        }
    }

    /** start + x w. */
    static float sum(float start, float[] x, float[] w) {
        float sum = start;
        for (int i = 0; i < w.length; i++) {
            sum = Math.fma(x[i], w[i], sum);
        }
        return sum;
    }

    private static void add(float a, float[] u, float[] z) {
        for (int j = 0; j < z.length; j++) {
            z[j] = Math.fma(a, u[j], z[j]);
        }
    }

    private static void add(
            float a, float[] u, float b, float[] v, float c, float[] w, float d, float[] x, float[] z) {
        for (int j = 0; j < z.length; j++) {
            z[j] = Math.fma(d, x[j], Math.fma(c, w[j], Math.fma(b, v[j], Math.fma(a, u[j], z[j]))));
        }
    }

    private static void add(float a, float[] u, float b, float[] v, float c, float[] w,
            float d, float[] x, float e, float[] y, float f, float[] s, float[] z) {
        for (int j = 0; j < z.length; j++) {
            z[j] = Math.fma(f, s[j], Math.fma(e, y[j], Math.fma(d, x[j],
                    Math.fma(c, w[j], Math.fma(b, v[j], Math.fma(a, u[j], z[j]))))));
        }
    }

    /** Two rows of weights, for three samples. */
    private static void add(float a, float b, float[] z, float c, float d, float[] y, float e, float f, float[] x,
            float[] u, float[] v) {
        for (int j = 0; j < z.length; j++) {
            float first = u[j];
            float second = v[j];
            z[j] = Math.fma(b, second, Math.fma(a, first, z[j]));
            y[j] = Math.fma(d, second, Math.fma(c, first, y[j]));
            x[j] = Math.fma(f, second, Math.fma(e, first, x[j]));
        }
    }
}
