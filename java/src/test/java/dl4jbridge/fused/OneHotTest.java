package dl4jbridge.fused;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

class OneHotTest {
    private final OneHot oneHot = new OneHot();

    @AfterEach
    void oneThread() {
        Workers.setThreads(1);
    }

    private static int[] classes(long seed, int batch, int classes, int steps) {
        return new Random(seed).ints((long) batch * steps, 0, classes).toArray();
    }

    /** Classes of (step, example) at [step * batch + example] as [batch, classes, steps]. */
    private static INDArray tensor(int[] index, int batch, int classes, int steps, char order) {
        INDArray a = Nd4j.create(DataType.FLOAT, new long[] {batch, classes, steps}, order);
        for (int i = 0; i < index.length; i++) {
            a.putScalar(new int[] {i % batch, index[i], i / batch}, 1);
        }
        return a;
    }

    /** The classes found, without what an earlier, longer tensor may have left after them; null if there are none. */
    private int[] read(INDArray a) {
        int[] all = oneHot.read(a);
        return all == null ? null : Arrays.copyOf(all, (int) (a.size(0) * a.size(2)));
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1", "1, 1, 5", "1, 2, 1", "1, 7, 1", "1, 7, 9", "2, 3, 5", "3, 5, 1", "3, 5, 7", "5, 256, 3",
        "32, 256, 50", "31, 255, 13", "64, 1, 3"})
    void findsTheClassOfEachStepOfEachExample(int batch, int classes, int steps) {
        int[] index = classes(batch + steps, batch, classes, steps);
        for (int threads : new int[] {1, 2, 5}) {
            Workers.setThreads(threads);
            assertArrayEquals(index, read(tensor(index, batch, classes, steps, 'f')), threads + " threads");
        }
    }

    @Test
    void remembersNothingOfTheTensorBefore() {
        int[] large = classes(1, 8, 9, 10);
        int[] small = classes(2, 3, 4, 5);
        assertArrayEquals(large, read(tensor(large, 8, 9, 10, 'f')));
        INDArray none = Nd4j.zeros(DataType.FLOAT, 8, 9, 10).dup('f');
        assertNull(read(none));
        assertArrayEquals(small, read(tensor(small, 3, 4, 5, 'f')));
        assertNull(read(none));
        assertArrayEquals(large, read(tensor(large, 8, 9, 10, 'f')));
    }

    @ParameterizedTest
    @ValueSource(floats = {2, 0.5f, -1, 1.0000001f, 0.99999994f, Float.NaN, Float.POSITIVE_INFINITY, Float.MIN_VALUE, 0})
    void aOneThatIsAnotherNumberIsNotOneHot(float value) {
        assertNotOneHot((a, row, hot, other, t) -> a.putScalar(new int[] {row, hot, t}, value));
    }

    @ParameterizedTest
    @ValueSource(floats = {1, 2, -1, 1e-30f, Float.MIN_VALUE, Float.NaN, Float.NEGATIVE_INFINITY})
    void aZeroThatIsAnotherNumberIsNotOneHot(float value) {
        assertNotOneHot((a, row, hot, other, t) -> a.putScalar(new int[] {row, other, t}, value));
    }

    private interface Change {
        void make(INDArray a, int row, int hot, int other, int step);
    }

    /** At each place of a small tensor, of an even and of an odd size. */
    private void assertNotOneHot(Change change) {
        for (int[] size : new int[][] {{3, 4, 5}, {3, 5, 3}, {1, 3, 7}, {5, 3, 1}}) {
            int batch = size[0];
            int classes = size[1];
            int[] index = classes(3, batch, classes, size[2]);
            for (int threads : new int[] {1, 2}) {
                Workers.setThreads(threads);
                for (int i = 0; i < index.length; i++) {
                    for (int k = 1; k < classes; k++) {
                        INDArray a = tensor(index, batch, classes, size[2], 'f');
                        assertNotNull(oneHot.read(a));
                        change.make(a, i % batch, index[i], (index[i] + k) % classes, i / batch);
                        assertNull(oneHot.read(a), Arrays.toString(size) + " changed at " + i + ", " + k);
                    }
                }
            }
        }
    }

    @Test
    void minusZeroIsZero() {
        int[] index = {2, 0, 1, 1};
        INDArray a = tensor(index, 2, 3, 2, 'f');
        a.putScalar(new int[] {0, 1, 0}, -0f);
        a.putScalar(new int[] {1, 2, 1}, -0f);
        assertArrayEquals(index, read(a));
    }

    @Test
    void aViewOfWholeStepsIsRead() {
        int[] index = classes(4, 3, 5, 9);
        INDArray all = tensor(index, 3, 5, 9, 'f');
        for (int from = 0; from < 9; from++) {
            for (int to = from + 1; to <= 9; to++) {
                INDArray view = all.get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(from, to));
                assertArrayEquals(Arrays.copyOfRange(index, from * 3, to * 3), read(view), from + " to " + to);
            }
        }
    }

    /** A reader that accepts one of these as one-hot must find the right classes in it; so far none is accepted. */
    @Test
    void otherLayoutsAndTypesAreNotMisread() {
        int[] index = classes(5, 4, 6, 8);
        INDArray all = tensor(index, 4, 6, 8, 'f');
        assertNull(read(tensor(index, 4, 6, 8, 'c')), "'c' order");
        assertNull(read(all.castTo(DataType.DOUBLE)), "DOUBLE");
        assertNull(read(all.get(NDArrayIndex.interval(0, 3), NDArrayIndex.all(), NDArrayIndex.all())), "some examples");
        assertNull(read(all.get(NDArrayIndex.all(), NDArrayIndex.interval(0, 5), NDArrayIndex.all())), "some classes");
        assertNull(read(all.get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(0, 2, 8))), "every other step");
        assertNull(read(all.reshape('f', 4, 48)), "rank 2");
    }
}
