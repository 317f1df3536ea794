package dl4jbridge.fused;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PointwiseMathTest {
    private static final int BLOCK = 4096;
    private static final float[] SPECIAL = {
        0f, -0f, Float.MIN_VALUE, -Float.MIN_VALUE, Float.MIN_NORMAL, 1e-40f, -1e-40f, 8.6f, -8.6f,
        Math.nextUp(8.6f), Math.nextDown(8.6f), 17.2f, Math.nextUp(17.2f), -17.2f, 100f, -100f, 1e30f, -1e30f,
        Float.MAX_VALUE, -Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};

    private interface Function {
        /** All values of a block. */
        float[] apply(float[] x);
    }

    private interface Check {
        void at(float x, float y);
    }

    private static Function tanh(PointwiseMath math) {
        return x -> {
            float[] y = new float[x.length];
            math.tanh(x, y, x.length);
            return y;
        };
    }

    private static Function sigmoid(PointwiseMath math) {
        return x -> {
            float[] z = x.clone();
            math.sigmoid(z, new float[x.length], new float[x.length], z, x.length);
            return z;
        };
    }

    private static Function tanhOfHidden(PointwiseMath math) {
        return x -> {
            float[] h = new float[x.length];
            float[] open = new float[x.length];
            Arrays.fill(open, 1);
            math.hidden(x, open, h, x.length);
            return h;
        };
    }

    /** Every {@code stride}-th float of both signs between two magnitudes, and the special ones. */
    private static void forFloats(float least, float most, int stride, Function function, Check check) {
        forBlock(SPECIAL, function, check);
        float[] x = new float[BLOCK];
        int n = 0;
        for (int bits = Float.floatToRawIntBits(least); bits <= Float.floatToRawIntBits(most); bits += stride) {
            x[n++] = Float.intBitsToFloat(bits);
            x[n++] = -Float.intBitsToFloat(bits);
            if (n == BLOCK) {
                forBlock(x, function, check);
                n = 0;
            }
        }
        forBlock(Arrays.copyOf(x, n), function, check);
    }

    private static void forBlock(float[] x, Function function, Check check) {
        float[] y = function.apply(x);
        for (int i = 0; i < x.length; i++) {
            check.at(x[i], y[i]);
        }
    }

    private static double sigmoidOf(double x) {
        return 1 / (1 + StrictMath.exp(-x));
    }

    /** How far the function gets from the exact one, all floats alike. */
    private static double furthest(Function function, DoubleUnaryOperator exact) {
        double[] furthest = {0};
        Check check = (x, y) -> {
            double error = Math.abs(y - exact.applyAsDouble(x));
            assertTrue(error < 1, () -> "at " + x + ": " + y);
            furthest[0] = Math.max(furthest[0], error);
        };
        forFloats(Float.MIN_VALUE, 1e-3f, 9973, function, check);
        forFloats(1e-3f, 40f, 211, function, check);
        forFloats(8.5f, 8.7f, 1, function, check);
        return furthest[0];
    }

    @Test
    void rationalTanhIsAsCloseAsDocumented() {
        double error = furthest(tanh(PointwiseMath.RATIONAL), StrictMath::tanh);
        assertTrue(error <= 4e-7, "off by " + error);
        assertTrue(error > 1e-7, "another tanh is tested: off by " + error);
        assertEquals(error, furthest(tanhOfHidden(PointwiseMath.RATIONAL), StrictMath::tanh));
    }

    @Test
    void rationalSigmoidIsAsCloseAsDocumented() {
        double error = furthest(sigmoid(PointwiseMath.RATIONAL), PointwiseMathTest::sigmoidOf);
        assertTrue(error <= 2.5e-7, "off by " + error);
        assertTrue(error > 5e-8, "another sigmoid is tested: off by " + error);
    }

    @Test
    void rationalTanhIsOddAndPassesOneByLittle() {
        Function tanh = tanh(PointwiseMath.RATIONAL);
        forFloats(Float.MIN_VALUE, Float.MAX_VALUE, 9973, tanh, (x, y) -> {
            assertTrue(Math.abs(y) <= 1 + 3e-7, () -> "at " + x + ": " + y);
            assertEquals(-y, PointwiseMath.rationalTanh(-x), () -> "at " + -x);
        });
        forFloats(6f, 9f, 7, tanh, (x, y) -> assertTrue(Math.abs(y) <= 1 + 3e-7, () -> "at " + x + ": " + y));
    }

    /** Small arguments keep their relative precision, or the gradient of a unit at rest would be lost. */
    @Test
    void rationalTanhOfASmallNumberIsThatNumber() {
        forFloats(Float.MIN_NORMAL, 1e-4f, 9973, tanh(PointwiseMath.RATIONAL), (x, y) -> {
            if (Math.abs(x) <= 1e-4 && Math.abs(x) >= Float.MIN_NORMAL) {
                assertEquals(StrictMath.tanh(x), y, 2e-7 * Math.abs(x));
            }
        });
    }

    /** "To the last place of a float or the one before." */
    @Test
    void exactIsStrictMathToTheLastPlace() {
        assertWithinOnePlace(tanh(PointwiseMath.EXACT), StrictMath::tanh);
        assertWithinOnePlace(tanhOfHidden(PointwiseMath.EXACT), StrictMath::tanh);
        assertWithinOnePlace(sigmoid(PointwiseMath.EXACT), PointwiseMathTest::sigmoidOf);
    }

    private static void assertWithinOnePlace(Function function, DoubleUnaryOperator exact) {
        Check check = (x, y) -> {
            float expected = (float) exact.applyAsDouble(x);
            assertTrue(Math.abs(y - expected) <= Math.ulp(expected), () -> "at " + x + ": " + y + ", not " + expected);
        };
        forFloats(Float.MIN_VALUE, 1e-3f, 99991, function, check);
        forFloats(1e-3f, 120f, 997, function, check);
    }

    @ParameterizedTest
    @EnumSource(PointwiseMath.class)
    void nanStaysNanAndTheEndsAreTheLimits(PointwiseMath math) {
        for (Function function : new Function[] {tanh(math), sigmoid(math), tanhOfHidden(math)}) {
            float[] y = function.apply(new float[] {1, Float.NaN, 2});
            assertTrue(Float.isNaN(y[1]));
            assertTrue(Float.isFinite(y[0]) && Float.isFinite(y[2]));
        }
        float inf = Float.POSITIVE_INFINITY;
        assertArrayEquals(new float[] {1, -1, 0, -0f}, tanh(math).apply(new float[] {inf, -inf, 0, -0f}), 4e-7f);
        assertArrayEquals(new float[] {1, 0, 0.5f, 0.5f}, sigmoid(math).apply(new float[] {inf, -inf, 0, -0f}), 2.5e-7f);
    }

    @ParameterizedTest
    @EnumSource(PointwiseMath.class)
    void loopsTakeTheirOperandsRightAndStopAtN(PointwiseMath math) {
        Random random = new Random(1);
        for (int n : new int[] {0, 1, 7, 8, 31, 64, 100}) {
            float[] z = random(random, n + 3);
            float[] cell = random(random, n + 3);
            float[] peephole = random(random, n + 3);
            float[] gate = z.clone();
            math.sigmoid(gate, cell, peephole, gate, n);
            float[] gateApart = new float[n + 3];
            math.sigmoid(z, cell, peephole, gateApart, n);
            float[] inPlace = z.clone();
            math.tanh(inPlace, inPlace, n);
            float[] apart = new float[n + 3];
            math.tanh(z, apart, n);
            float[] h = new float[n + 3];
            math.hidden(cell, gate, h, n);
            for (int i = 0; i < n; i++) {
                assertEquals(sigmoidOf(z[i] + (double) cell[i] * peephole[i]), gate[i], 5e-7);
                assertEquals(StrictMath.tanh(z[i]), inPlace[i], 5e-7);
                assertEquals(inPlace[i], apart[i]);
                assertEquals(gate[i], gateApart[i]);
                assertEquals(gate[i] * StrictMath.tanh(cell[i]), h[i], 5e-7);
            }
            for (int i = n; i < n + 3; i++) {
                assertEquals(z[i], gate[i]);
                assertEquals(z[i], inPlace[i]);
                assertEquals(0, apart[i]);
                assertEquals(0, h[i]);
            }
        }
    }

    private static float[] random(Random random, int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) (2 * random.nextGaussian());
        }
        return values;
    }
}
