package dl4jbridge.fused;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;

/** Softmax of some rows at a time, in loops that HotSpot vectorises. */
public final class Softmax {
    /** Below this, exp is negligible beside the largest term, which is 1. */
    private static final float SMALLEST = -87f;
    private static final float LOG2_E = 1.442695041f;
    /** ln 2 in two parts, the first short enough for exact multiples. */
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    /** 1.5 x 2^23: adding it rounds a float to an integer, which is then in the lowest bits. */
    private static final float ROUND = 12582912f;
    private static final int MANTISSA = 23;
    private static final int ONE = 127 << MANTISSA;

    private final int classes;
    private final float[] largest;
    private final float[] ofRow; // one number of each row, repeated for each class
    private final float[] powers;
    private final int[] bits;
    /** Two views of the same memory: HotSpot vectorises no other conversion of floats to their bits. */
    private final FloatBuffer asFloats;
    private final IntBuffer asBits;

    /** @param rows  largest number of rows of a call */
    public Softmax(int classes, int rows) {
        this.classes = classes;
        largest = new float[rows];
        ofRow = new float[rows * classes];
        powers = new float[rows * classes];
        bits = new int[rows * classes];
        ByteBuffer memory = ByteBuffer.allocateDirect(rows * classes * Float.BYTES).order(ByteOrder.nativeOrder());
        asFloats = memory.asFloatBuffer();
        asBits = memory.asIntBuffer();
    }

    /** Replaces the logits of the first rows of {@code x}, [rows, classes], by their softmax, to a relative error of 5e-7. */
    public void replace(float[] x, int rows) {
        int n = rows * classes;
        for (int row = 0; row < rows; row++) {
            largest[row] = max(x, row * classes, classes);
            Arrays.fill(ofRow, row * classes, (row + 1) * classes, largest[row]);
        }
        exponentials(x, n);
        for (int row = 0; row < rows; row++) {
            Arrays.fill(ofRow, row * classes, (row + 1) * classes, 1 / sum(x, row * classes, classes));
        }
        multiply(ofRow, x, n);
    }

    /** Largest logit of a row of the last call. */
    float largest(int row) {
        return largest[row];
    }

    /** x = exp(x - ofRow), to a relative error of 2e-7. */
    private void exponentials(float[] x, int n) {
        reduce(x, ofRow, powers, n);
        asFloats.position(0);
        asFloats.put(powers, 0, n);
        asBits.position(0);
        asBits.get(bits, 0, n);
        powersOfTwo(bits, n);
        asBits.position(0);
        asBits.put(bits, 0, n);
        asFloats.position(0);
        asFloats.get(powers, 0, n);
        multiply(powers, x, n);
    }

    /** x - shift = k ln 2 + r: x becomes exp r, and rounded becomes k + ROUND. */
    private static void reduce(float[] x, float[] shift, float[] rounded, int n) {
        for (int i = 0; i < n; i++) {
            float v = Math.max(SMALLEST, x[i] - shift[i]);
            float withRound = v * LOG2_E + ROUND;
            float k = withRound - ROUND;
            float r = Math.fma(k, -LN2_LOW, Math.fma(k, -LN2_HIGH, v));
            float p = Math.fma(r, 1f / 5040, 1f / 720);
            p = Math.fma(p, r, 1f / 120);
            p = Math.fma(p, r, 1f / 24);
            p = Math.fma(p, r, 1f / 6);
            p = Math.fma(p, r, 0.5f);
            p = Math.fma(p, r, 1f);
            x[i] = Math.fma(p, r, 1f);
            rounded[i] = withRound;
        }
    }

    /** Replaces the bits of k + ROUND by those of 2^k. */
    private static void powersOfTwo(int[] bits, int n) {
        for (int i = 0; i < n; i++) {
            bits[i] = (bits[i] << MANTISSA) + ONE;
        }
    }

    private static void multiply(float[] factor, float[] x, int n) {
        for (int i = 0; i < n; i++) {
            x[i] *= factor[i];
        }
    }

    /** Largest of {@code n} elements from {@code at} on, in four chains, since one would wait for each comparison. */
    static float max(float[] x, int at, int n) {
        float a = Float.NEGATIVE_INFINITY;
        float b = a;
        float c = a;
        float d = a;
        int i = at;
        for (; i + 3 < at + n; i += 4) {
            a = x[i] > a ? x[i] : a;
            b = x[i + 1] > b ? x[i + 1] : b;
            c = x[i + 2] > c ? x[i + 2] : c;
            d = x[i + 3] > d ? x[i + 3] : d;
        }
        for (; i < at + n; i++) {
            a = x[i] > a ? x[i] : a;
        }
        return Math.max(Math.max(a, b), Math.max(c, d));
    }

    /** In four chains, for the same reason. */
    private static float sum(float[] x, int at, int n) {
        float a = 0;
        float b = 0;
        float c = 0;
        float d = 0;
        int i = at;
        for (; i + 7 < at + n; i += 8) {
            a += x[i] + x[i + 4];
            b += x[i + 1] + x[i + 5];
            c += x[i + 2] + x[i + 6];
            d += x[i + 3] + x[i + 7];
        }
        for (; i < at + n; i++) {
            a += x[i];
        }
        return a + b + (c + d);
    }
}
